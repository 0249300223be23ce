//! What can be taken away, and column by column what right it takes.

use crate::lang::Lang;
use crate::staff::Right;

/// A table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, sqlx::Type)]
#[sqlx(type_name = "TEXT", rename_all = "snake_case")]
pub enum Kind {
    /// People, by the day on which they registered.
    Customers,
    /// Lines of receipts, by their day.
    Purchases,
    /// What moved on customers' accounts of points, by its day.
    Points,
    /// Requests to support, by the day on which they came, without what was said. One that went into another one is that one.
    Requests,
}

/// What stands in a column, for who writes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    /// Text, or a whole number.
    Plain,
    /// Money or points: hundredths.
    Hundredths,
    /// A moment, told by the shop's clock.
    Moment,
}

/// A column.
#[derive(Debug)]
pub struct Column {
    /// As forms and the database name it.
    pub name: &'static str,
    /// The right that it takes beside that of taking anything away; it says who somebody is.
    pub right: Option<Right>,
    pub(super) what: What,
    ru: &'static str,
    en: &'static str,
}

impl Column {
    /// What people call it.
    pub const fn text(&self, lang: Lang) -> &'static str {
        match lang {
            Lang::Ru => self.ru,
            Lang::En => self.en,
        }
    }
}

const fn plain(name: &'static str, ru: &'static str, en: &'static str) -> Column {
    Column {
        name,
        right: None,
        what: What::Plain,
        ru,
        en,
    }
}

const fn hundredths(name: &'static str, ru: &'static str, en: &'static str) -> Column {
    Column {
        what: What::Hundredths,
        ..plain(name, ru, en)
    }
}

const fn moment(name: &'static str, ru: &'static str, en: &'static str) -> Column {
    Column {
        what: What::Moment,
        ..plain(name, ru, en)
    }
}

/// For those who find customers and open their cards.
const fn personal(name: &'static str, ru: &'static str, en: &'static str) -> Column {
    Column {
        right: Some(Right::Customers),
        ..plain(name, ru, en)
    }
}

const CUSTOMERS: &[Column] = &[
    plain("customer_id", "Код покупателя", "Customer id"),
    moment("registered_at", "Регистрация", "Registered"),
    plain("source", "Откуда", "Source"),
    plain("language", "Язык", "Language"),
    plain("receipts", "Чеков", "Receipts"),
    moment("last_receipt_at", "Последний чек", "Last receipt"),
    hundredths("points", "Баллы", "Points"),
    personal("name", "Имя", "First name"),
    personal("surname", "Фамилия", "Surname"),
    personal("phone", "Телефон", "Phone"),
    personal("email", "Эл. почта", "E-mail"),
    personal("birthday", "День рождения", "Birthday"),
    personal("address", "Город или адрес", "Town or address"),
    personal("card", "Номер карты", "Card number"),
];

const PURCHASES: &[Column] = &[
    plain("customer_id", "Код покупателя", "Customer id"),
    plain("document", "Номер чека", "Receipt number"),
    plain("source", "Источник", "Source"),
    moment("at", "Дата и время", "Date and time"),
    plain("kind", "Вид", "Kind"),
    plain("is_voided", "Отменён", "Voided"),
    plain("store", "Магазин", "Store"),
    plain("article", "Артикул", "Article code"),
    plain("article_name", "Название товара", "Article name"),
    plain("category", "Категория", "Category"),
    plain("quantity", "Количество", "Quantity"),
    hundredths("price", "Цена", "Price"),
    hundredths("discount", "Скидка", "Discount"),
    hundredths("amount", "Оплачено", "Paid"),
    plain("channel", "Способ покупки", "Channel"),
    plain("payments", "Способ оплаты", "Payment"),
    personal("customer_name", "Покупатель", "Customer"),
    personal("customer_phone", "Телефон", "Phone"),
];

const POINTS: &[Column] = &[
    plain("customer_id", "Код покупателя", "Customer id"),
    moment("at", "Когда", "When"),
    moment("recorded_at", "Записано", "Written down"),
    plain("kind", "Что", "What"),
    plain("program", "Программа", "Program"),
    plain("account", "Счёт", "Account"),
    hundredths("points", "Баллы", "Points"),
    plain("document", "Номер чека", "Receipt number"),
    personal("customer_name", "Покупатель", "Customer"),
    personal("customer_phone", "Телефон", "Phone"),
];

const REQUESTS: &[Column] = &[
    plain("customer_id", "Код покупателя", "Customer id"),
    plain("number", "Номер обращения", "Request number"),
    moment("created_at", "Создано", "Created"),
    plain("topic", "Тема", "Topic"),
    plain("status", "Состояние", "Status"),
    plain("priority", "Срочность", "Priority"),
    moment("answered_at", "Первый ответ", "First answer"),
    moment("closed_at", "Закрыто", "Closed"),
    plain("reopenings", "Открывали снова", "Reopenings"),
    plain("score", "Последняя оценка", "Last score"),
    plain("queue", "Очередь", "Queue"),
    Column {
        right: Some(Right::Requests),
        ..plain("tags", "Метки", "Tags")
    },
    Column {
        right: Some(Right::Requests),
        ..plain("assignee", "Сотрудник", "Colleague")
    },
    personal("customer_name", "Покупатель", "Customer"),
    personal("customer_phone", "Телефон", "Phone"),
];

/// The main phone of a customer.
macro_rules! phone {
    ($id:literal) => {
        concat!(
            "(SELECT k.value FROM contacts k WHERE k.customer_id = ",
            $id,
            " AND k.kind = 'phone' AND k.is_primary ORDER BY k.id LIMIT 1)"
        )
    };
}

/// What a customer is called.
macro_rules! name {
    ($id:literal) => {
        concat!(
            "(SELECT n.name || ' ' || n.surname FROM customers n WHERE n.id = ",
            $id,
            ")"
        )
    };
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 4] = [Self::Customers, Self::Purchases, Self::Points, Self::Requests];

    /// As forms and the database name it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Customers => "customers",
            Self::Purchases => "purchases",
            Self::Points => "points",
            Self::Requests => "requests",
        }
    }

    /// The kind of this name.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }

    /// Its columns.
    pub const fn columns(self) -> &'static [Column] {
        match self {
            Self::Customers => CUSTOMERS,
            Self::Purchases => PURCHASES,
            Self::Points => POINTS,
            Self::Requests => REQUESTS,
        }
    }

    /// The next rows after the id `$1` of the moment `$2`, until before `$3`, `$4` at most; of requests with names in the language `$5`, of
    /// purchases those in the shop `$5`, if it is any: first the id and the moment by which they are paged, then the columns. Where the moment is another table's, `CROSS JOIN` has SQLite begin
    /// with that one: it goes along its index, however many rows lie before.
    pub(super) const fn sql(self) -> &'static str {
        match self {
            Self::Customers => concat!(
                "SELECT c.id, c.registered_at AS place, c.id AS customer_id, c.registered_at, c.source, c.language, \
                 (SELECT COUNT(*) FROM purchases p WHERE p.customer_id = c.id AND p.voided_at IS NULL) AS receipts, \
                 (SELECT MAX(p.at) FROM purchases p WHERE p.customer_id = c.id AND p.voided_at IS NULL) AS last_receipt_at, \
                 (SELECT CAST(COALESCE(SUM(a.balance), 0) AS BIGINT) FROM accounts a WHERE a.customer_id = c.id \
                 AND a.kind = 'active') AS points, c.name, c.surname, ",
                phone!("c.id"),
                " AS phone, (SELECT k.value FROM contacts k WHERE k.customer_id = c.id AND k.kind = 'email' AND k.is_primary \
                 ORDER BY k.id LIMIT 1) AS email, c.birthday, c.address, (SELECT d.number FROM cards d \
                 WHERE d.customer_id = c.id AND d.state = 'active' ORDER BY d.issued_at, d.id LIMIT 1) AS card \
                 FROM customers c WHERE (c.registered_at, c.id) > ($2, $1) AND c.registered_at < $3 \
                 AND c.erased_at IS NULL AND c.merged_into IS NULL ORDER BY c.registered_at, c.id LIMIT $4"
            ),
            Self::Purchases => concat!(
                "SELECT l.id, p.at AS place, p.customer_id, p.document, p.source, p.at, p.kind, p.voided_at IS NOT NULL AS is_voided, \
                 s.code AS store, a.code AS article, a.name AS article_name, g.code AS category, l.quantity, l.price, \
                 l.discount, l.amount, p.channel, p.payments, ",
                name!("p.customer_id"),
                " AS customer_name, ",
                phone!("p.customer_id"),
                " AS customer_phone FROM purchases p CROSS JOIN purchase_lines l CROSS JOIN articles a \
                 LEFT JOIN stores s ON s.id = p.store_id LEFT JOIN categories g ON g.id = a.category_id \
                 WHERE l.purchase_id = p.id AND a.id = l.article_id AND p.at >= $2 AND p.at < $3 \
                 AND (p.at > $2 OR l.id > $1) AND ($5 IS NULL OR p.store_id = $5) ORDER BY p.at, l.id LIMIT $4"
            ),
            Self::Points => concat!(
                "SELECT o.id, t.at AS place, t.customer_id, t.at, t.recorded_at, t.kind, g.code AS program, a.kind AS account, \
                 o.amount AS points, p.document, ",
                name!("t.customer_id"),
                " AS customer_name, ",
                phone!("t.customer_id"),
                " AS customer_phone FROM transactions t CROSS JOIN postings o CROSS JOIN accounts a \
                 CROSS JOIN programs g LEFT JOIN purchases p ON p.id = t.purchase_id WHERE o.transaction_id = t.id \
                 AND a.id = o.account_id AND a.customer_id IS NOT NULL AND g.id = t.program_id AND t.at >= $2 AND t.at < $3 \
                 AND (t.at > $2 OR o.id > $1) ORDER BY t.at, o.id LIMIT $4"
            ),
            Self::Requests => concat!(
                "SELECT q.id, q.created_at AS place, q.customer_id, q.number, q.created_at, t.name ->> $5 AS topic, q.status, q.priority, \
                 q.answered_at, q.closed_at, \
                 (SELECT COUNT(*) FROM request_steps e WHERE e.request_id = q.id AND e.kind = 'reopened') AS reopenings, \
                 (SELECT CAST(g.score AS BIGINT) FROM request_ratings g WHERE g.request_id = q.id \
                 ORDER BY g.at DESC, g.id DESC LIMIT 1) AS score, u.name ->> $5 AS queue, \
                 (SELECT string_agg(w.tag, ', ' ORDER BY w.tag) FROM request_tags w WHERE w.request_id = q.id) AS tags, \
                 s.name AS assignee, ",
                name!("q.customer_id"),
                " AS customer_name, ",
                phone!("q.customer_id"),
                " AS customer_phone FROM requests q JOIN topics t ON t.id = q.topic_id LEFT JOIN staff s \
                 ON s.id = q.assignee_id LEFT JOIN queues u ON u.id = q.queue_id \
                 WHERE (q.created_at, q.id) > ($2, $1) AND q.created_at < $3 AND q.merged_into IS NULL \
                 ORDER BY q.created_at, q.id LIMIT $4"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_says_who_somebody_is_is_free() {
        for kind in Kind::ALL {
            assert_eq!(Kind::from_word(kind.as_str()), Some(kind));
            for column in kind.columns() {
                let is_personal = ["name", "surname", "phone", "email", "birthday", "address", "card"]
                    .iter()
                    .any(|part| column.name == *part || column.name == format!("customer_{part}"));
                assert_eq!(column.right == Some(Right::Customers), is_personal, "{}", column.name);
            }
        }
    }
}
