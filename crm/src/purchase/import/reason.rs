//! Why a line was not taken, in words.

use crate::lang::Lang;

/// A column, by what it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Column {
    /// The number of the receipt.
    Document,
    /// The customer's number.
    Customer,
    /// The code of the shop.
    Store,
    /// The article's code.
    Article,
    /// The article's name.
    Name,
    /// The price, or what was paid.
    Price,
    /// What was taken off.
    Discount,
    /// The number of the receipt that a return names.
    Original,
    /// In which way it was bought.
    Channel,
    /// How it was paid.
    Payment,
}

impl Column {
    fn text(self, lang: Lang) -> &'static str {
        match (self, lang) {
            (Self::Document, Lang::Ru) => "номер чека",
            (Self::Document, Lang::En) => "document",
            (Self::Customer, Lang::Ru) => "покупатель",
            (Self::Customer, Lang::En) => "customer",
            (Self::Store, Lang::Ru) => "магазин",
            (Self::Store, Lang::En) => "store",
            (Self::Article, Lang::Ru) => "артикул",
            (Self::Article, Lang::En) => "article",
            (Self::Name, Lang::Ru) => "название",
            (Self::Name, Lang::En) => "name",
            (Self::Price, Lang::Ru) => "цена",
            (Self::Price, Lang::En) => "price",
            (Self::Discount, Lang::Ru) => "скидка",
            (Self::Discount, Lang::En) => "discount",
            (Self::Original, Lang::Ru) => "исходный чек",
            (Self::Original, Lang::En) => "original",
            (Self::Channel, Lang::Ru) => "способ покупки",
            (Self::Channel, Lang::En) => "channel",
            (Self::Payment, Lang::Ru) => "способ оплаты",
            (Self::Payment, Lang::En) => "payment",
        }
    }
}

/// Why a line was not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Bytes that are no text in the encoding of the file.
    Encoding {
        /// The encoding.
        name: &'static str,
    },
    /// Longer than 64 KiB.
    TooLongLine,
    /// A quotation mark is not closed.
    OpenQuote,
    /// Not as many fields as columns.
    Fields {
        /// How many the first line has.
        expected: usize,
        /// How many this one has.
        found: usize,
    },
    /// Nothing there.
    Missing(Column),
    /// Invisible characters.
    ControlCharacters(Column),
    /// Too many characters.
    TooLong {
        /// Where.
        column: Column,
        /// How many fit.
        max: usize,
    },
    /// No time, or none that a calendar knows.
    NotATime,
    /// Not a whole number.
    NotANumber,
    /// A quantity of nothing.
    NoQuantity,
    /// Not an amount of money with up to two decimals.
    NotMoney(Column),
    /// A price below zero.
    NegativePrice,
    /// An amount beyond all bounds.
    TooLarge,
    /// A cancellation with a positive quantity.
    PositiveCancellation,
    /// The receipt is another customer's by its first line.
    OtherCustomer {
        /// Whose it is.
        customer: String,
    },
    /// No shop has this code.
    UnknownStore {
        /// The code.
        code: String,
    },
    /// No way to buy or to pay has this name.
    UnknownWay {
        /// Where.
        column: Column,
        /// The name.
        word: String,
    },
    /// Another line stands in this place of the receipt since an earlier import.
    Changed,
}

impl Reason {
    /// The reason in a sentence.
    pub fn text(&self, lang: Lang) -> String {
        match lang {
            Lang::Ru => match self {
                Self::Encoding { name } => format!("байты не читаются в кодировке {name}"),
                Self::TooLongLine => "строка длиннее 64 КиБ".into(),
                Self::OpenQuote => "кавычка не закрыта".into(),
                Self::Fields { expected, found } => format!("полей {found}, а столбцов {expected}"),
                Self::Missing(column) => format!("{}: пусто", column.text(lang)),
                Self::ControlCharacters(column) => format!("{}: управляющие символы", column.text(lang)),
                Self::TooLong { column, max } => format!("{}: длиннее {max} символов", column.text(lang)),
                Self::NotATime => "дата и время не читаются".into(),
                Self::NotANumber => "количество не целое число".into(),
                Self::NoQuantity => "количество равно нулю".into(),
                Self::NotMoney(column) => {
                    format!("{}: не сумма с двумя знаками после точки", column.text(lang))
                }
                Self::NegativePrice => "цена или количество меньше нуля".into(),
                Self::TooLarge => "сумма слишком велика".into(),
                Self::PositiveCancellation => "в чеке отмены положительное количество".into(),
                Self::OtherCustomer { customer } => format!("по первой строке чек принадлежит покупателю {customer}"),
                Self::UnknownStore { code } => format!("магазина {code} нет"),
                Self::UnknownWay { column, word } => format!("{}: слово {word} не известно", column.text(lang)),
                Self::Changed => "на этом месте чека уже есть другая строка".into(),
            },
            Lang::En => match self {
                Self::Encoding { name } => format!("bytes that cannot be read as {name}"),
                Self::TooLongLine => "the line is longer than 64 KiB".into(),
                Self::OpenQuote => "a quotation mark is not closed".into(),
                Self::Fields { expected, found } => format!("{found} fields, but {expected} columns"),
                Self::Missing(column) => format!("{}: empty", column.text(lang)),
                Self::ControlCharacters(column) => format!("{}: control characters", column.text(lang)),
                Self::TooLong { column, max } => format!("{}: longer than {max} characters", column.text(lang)),
                Self::NotATime => "date and time cannot be read".into(),
                Self::NotANumber => "the quantity is not a whole number".into(),
                Self::NoQuantity => "the quantity is zero".into(),
                Self::NotMoney(column) => format!("{}: not an amount with up to two decimals", column.text(lang)),
                Self::NegativePrice => "a price or quantity below zero".into(),
                Self::TooLarge => "the amount is too large".into(),
                Self::PositiveCancellation => "a cancellation with a positive quantity".into(),
                Self::OtherCustomer { customer } => format!("by its first line the receipt is customer {customer}'s"),
                Self::UnknownStore { code } => format!("there is no store {code}"),
                Self::UnknownWay { column, word } => format!("{}: {word} is not known", column.text(lang)),
                Self::Changed => "another line is in this place of the receipt already".into(),
            },
        }
    }
}
