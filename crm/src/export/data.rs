//! Everything that the database holds about a customer, table by table.

use crate::db::Conn;
use crate::id::{AttachmentId, CustomerId};
use crate::lang::Lang;
use crate::merge;
use crate::on;
use crate::shop::Shop;
use crate::who::Subject;
use chrono::{DateTime, NaiveDate, SecondsFormat, Utc};
use serde::ser::{Serialize, SerializeMap as _, Serializer};
use sqlx::postgres::PgRow;
use sqlx::sqlite::SqliteRow;
use sqlx::{Column as _, Row, TypeInfo as _, ValueRef as _};
use std::sync::Arc;
use uuid::Uuid;

/// What a customer takes home.
#[derive(Clone, Debug)]
pub struct Data {
    /// When it was collected.
    pub at: DateTime<Utc>,
    /// The shop, whose clock and currency the readable page goes by.
    pub shop: Arc<Shop>,
    /// The customer's language.
    pub language: Lang,
    /// What is held, in the order in which it is told.
    pub sections: Vec<Section>,
}

/// What is held of one kind.
#[derive(Clone, Debug)]
pub struct Section {
    /// Its name in [`SECTIONS`].
    pub name: &'static str,
    /// The names of the columns; none where there is no row.
    pub columns: Vec<String>,
    /// A cell for each column.
    pub rows: Vec<Vec<Cell>>,
}

/// One value.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(untagged)]
pub enum Cell {
    /// None.
    Empty,
    /// Yes or no; its column is called `is_…`.
    Flag(bool),
    /// A number. Money and points are hundredths.
    Number(i64),
    /// Text, an id, a day, or a time in UTC.
    Text(String),
}

/// What a program is called.
macro_rules! program {
    ($id:literal) => {
        concat!(
            "(SELECT v.name ->> $2 FROM program_versions v WHERE v.program_id = ",
            $id,
            " ORDER BY v.version DESC LIMIT 1) AS program"
        )
    };
}

/// What a version of a rule is called.
macro_rules! rule {
    ($of:literal) => {
        concat!(
            "(SELECT v.definition -> 'name' ->> $2 FROM rule_versions v WHERE v.rule_id = ",
            $of,
            ".rule_id AND v.version = ",
            $of,
            ".version) AS rule"
        )
    };
}

/// What is told, each by its query: `$1` is the customer, `$2` the code of their language. A column of yes and no is called
/// `is_…`, one that only machines need `id` or `…_id`, and what is secret (hashes, keys, codes that open something) and what is
/// somebody else's is in none of them.
pub const SECTIONS: &[(&str, &str)] = &[
    (
        "person",
        "SELECT c.id, c.name, c.surname, c.birthday, c.address AS home_address, c.language, (SELECT s.name ->> $2 FROM stores s \
         WHERE s.id = c.favourite_store_id) AS favourite_store, c.password_hash IS NOT NULL AS is_password_set, c.source, \
         c.external_id AS external_number, c.registered_at, c.toured_at, c.updated_at FROM customers c WHERE c.id = $1",
    ),
    (
        "contacts",
        "SELECT kind, value, is_primary, verified_at, created_at FROM contacts WHERE customer_id = $1 ORDER BY created_at, id",
    ),
    (
        "favourite_categories",
        "SELECT g.name ->> $2 AS category FROM customer_categories f JOIN categories g ON g.id = f.category_id \
         WHERE f.customer_id = $1 ORDER BY g.position, g.id",
    ),
    (
        "channels",
        "SELECT channel FROM customer_channels WHERE customer_id = $1 ORDER BY channel",
    ),
    (
        "children",
        "SELECT birthday, created_at FROM children WHERE customer_id = $1 ORDER BY created_at, id",
    ),
    (
        "wishes",
        "SELECT brands, sizes, occasions, wishes, changed_at FROM wishes WHERE customer_id = $1",
    ),
    (
        "answers",
        "SELECT q.title ->> $2 AS question, c.name ->> $2 AS answer, a.at FROM answers a \
         JOIN questionnaire_questions q ON q.code = a.question AND q.version = a.version \
         JOIN questionnaire_choices c ON c.question = a.question AND c.version = a.version AND c.code = a.choice \
         WHERE a.customer_id = $1 ORDER BY q.position, a.question",
    ),
    (
        "consents",
        "SELECT a.at, a.act, p.code AS purpose, t.version, a.language, a.source, t.title ->> a.language AS title, \
         t.partner ->> a.language AS partner, t.body ->> a.language AS text FROM consents a JOIN consent_texts t ON t.id = a.text_id \
         JOIN consent_purposes p ON p.id = t.purpose_id WHERE a.customer_id = $1 ORDER BY a.at, a.id",
    ),
    (
        "cards",
        "SELECT number, kind, state, issued_at, bound_at, blocked_at FROM cards WHERE customer_id = $1 ORDER BY issued_at, id",
    ),
    (
        "memberships",
        concat!(
            "SELECT ",
            program!("m.program_id"),
            ", m.terms_version, m.joined_at, m.left_at FROM memberships m WHERE m.customer_id = $1 ORDER BY m.joined_at, m.id"
        ),
    ),
    (
        "purchases",
        "SELECT p.id, p.at, p.kind, p.document, p.source, (SELECT s.name ->> $2 FROM stores s WHERE s.id = p.store_id) AS store, \
         p.channel, p.payments, (SELECT u.name ->> $2 FROM purchase_purposes u WHERE u.code = p.purpose) AS purpose, p.total, \
         p.receipt_code, p.claimed_at, p.voided_at FROM purchases p WHERE p.customer_id = $1 ORDER BY p.at, p.id",
    ),
    (
        "purchase_lines",
        "SELECT p.id AS purchase_id, l.id AS line_id, p.at, p.document, l.ordinal, a.code AS article_code, a.name AS article, \
         l.quantity, l.price, l.discount, l.amount AS paid, l.returned FROM purchases p \
         JOIN purchase_lines l ON l.purchase_id = p.id JOIN articles a ON a.id = l.article_id WHERE p.customer_id = $1 \
         ORDER BY p.at, p.id, l.ordinal",
    ),
    (
        "waiting_returns",
        "SELECT p.at, p.document, l.ordinal, w.document AS original FROM purchases p \
         JOIN purchase_lines l ON l.purchase_id = p.id JOIN waiting_returns w ON w.line_id = l.id WHERE p.customer_id = $1 \
         ORDER BY p.at, p.id, l.ordinal",
    ),
    (
        "points_paid",
        concat!(
            "SELECT l.id AS line_id, p.at, p.document, l.ordinal, ",
            program!("x.program_id"),
            ", x.points, x.given_back FROM purchases p JOIN purchase_lines l ON l.purchase_id = p.id \
             JOIN line_payments x ON x.line_id = l.id WHERE p.customer_id = $1 ORDER BY p.at, p.id, l.ordinal"
        ),
    ),
    (
        "points_earned",
        concat!(
            "SELECT l.id AS line_id, x.lot_id, p.at, p.document, l.ordinal, ",
            program!("x.program_id"),
            ", x.program_version, x.points, x.taken_back, x.forgiven FROM purchases p \
             JOIN purchase_lines l ON l.purchase_id = p.id JOIN accruals x ON x.line_id = l.id WHERE p.customer_id = $1 \
             ORDER BY p.at, p.id, l.ordinal"
        ),
    ),
    (
        "rules_applied",
        // Of a reward for a friend's purchase the receipt is the friend's.
        concat!(
            "SELECT g.line_id, g.at, p.document, ",
            rule!("g"),
            ", g.version, g.kind, ",
            program!("g.program_id"),
            ", g.amount AS given FROM grants g LEFT JOIN purchases p ON p.id = g.purchase_id AND p.customer_id = $1 \
             WHERE (g.customer_id IS NULL OR g.customer_id = $1) AND g.id IN \
             (SELECT b.id FROM purchases q JOIN grants b ON b.purchase_id = q.id WHERE q.customer_id = $1 \
             UNION SELECT b.id FROM rewards r JOIN grants b ON b.rule_id = r.rule_id AND b.customer_id = r.customer_id \
             AND b.reward_id = r.id WHERE r.customer_id = $1) ORDER BY g.at, g.id"
        ),
    ),
    (
        "accounts",
        concat!(
            "SELECT ",
            program!("a.program_id"),
            ", a.kind AS account, a.balance, a.reserved FROM accounts a WHERE a.customer_id = $1 ORDER BY a.program_id, a.kind"
        ),
    ),
    (
        "points",
        concat!(
            "SELECT t.id AS transaction_id, t.at, t.kind, ",
            program!("t.program_id"),
            ", a.kind AS account, o.amount AS points, p.document, t.recorded_at FROM transactions t \
             JOIN postings o ON o.transaction_id = t.id JOIN accounts a ON a.id = o.account_id AND a.customer_id = t.customer_id \
             LEFT JOIN purchases p ON p.id = t.purchase_id AND p.customer_id = t.customer_id \
             WHERE t.customer_id = $1 ORDER BY t.at, t.id, a.kind"
        ),
    ),
    (
        "lots",
        concat!(
            "SELECT l.id AS lot_id, l.transaction_id, ",
            program!("l.program_id"),
            ", l.points, l.remaining, l.state, l.activates_at, l.expires_at FROM lots l WHERE l.customer_id = $1 \
             ORDER BY l.activates_at, l.id"
        ),
    ),
    (
        "lots_used",
        "SELECT l.id AS lot_id, x.transaction_id, x.line_id, t.at, t.kind, x.points FROM lots l \
         JOIN allocations x ON x.lot_id = l.id JOIN transactions t ON t.id = x.transaction_id WHERE l.customer_id = $1 \
         ORDER BY t.at, x.id",
    ),
    (
        "lots_restored",
        "SELECT l.id AS lot_id, x.transaction_id, t.at, t.kind, x.points FROM lots l JOIN restorations x ON x.lot_id = l.id \
         JOIN transactions t ON t.id = x.transaction_id WHERE l.customer_id = $1 ORDER BY t.at, x.id",
    ),
    (
        "reservations",
        concat!(
            "SELECT r.created_at, r.source, ",
            program!("r.program_id"),
            ", r.points, r.state, r.captured, r.unpaid, r.expires_at, r.ended_at FROM reservations r WHERE r.customer_id = $1 \
             ORDER BY r.created_at, r.id"
        ),
    ),
    (
        "transfers",
        // As the page of transfers shows them: the first name of the other side, and nothing that is still on its way here.
        concat!(
            "SELECT t.created_at, t.from_id = $1 AS is_sent, c.name AS other, ",
            program!("t.program_id"),
            ", t.points, t.state, t.completes_at, t.ended_at FROM transfers t \
             JOIN customers c ON c.id = CASE WHEN t.from_id = $1 THEN t.to_id ELSE t.from_id END \
             WHERE t.from_id = $1 OR (t.to_id = $1 AND t.in_id IS NOT NULL) ORDER BY t.created_at, t.id"
        ),
    ),
    (
        "adjustments",
        concat!(
            "SELECT a.created_at, ",
            program!("a.program_id"),
            ", a.points, a.reason, a.note AS comment, a.state, a.decided_at FROM adjustments a WHERE a.customer_id = $1 ORDER BY a.created_at, a.id"
        ),
    ),
    (
        "receipt_corrections",
        "SELECT r.created_at, p.document, r.points, r.reason, r.state, r.decided_at FROM purchases p \
         JOIN receipt_corrections r ON r.purchase_id = p.id WHERE p.customer_id = $1 ORDER BY r.created_at, r.id",
    ),
    (
        "rewards",
        concat!(
            "SELECT r.at, r.occasion, ",
            rule!("r"),
            ", r.version, r.period, ",
            program!("x.program_id"),
            ", x.points, x.taken_back, x.forgiven FROM rewards r LEFT JOIN reward_accruals x ON x.reward_id = r.id \
             WHERE r.customer_id = $1 ORDER BY r.at, r.id"
        ),
    ),
    (
        "coupons",
        "SELECT c.code, s.name ->> $2 AS coupon, c.issued_at, c.expires_at, c.uses FROM coupons c \
         JOIN coupon_series s ON s.id = c.series_id WHERE c.customer_id = $1 ORDER BY c.issued_at, c.id",
    ),
    (
        "coupons_used",
        "SELECT u.at, p.document, s.name ->> $2 AS coupon FROM purchases p JOIN coupon_uses u ON u.purchase_id = p.id \
         JOIN coupons c ON c.id = u.coupon_id JOIN coupon_series s ON s.id = c.series_id WHERE p.customer_id = $1 \
         ORDER BY u.at, u.coupon_id",
    ),
    (
        "segments",
        "SELECT s.name ->> $2 AS segment, m.added_at FROM segment_members m JOIN segments s ON s.id = m.segment_id \
         WHERE m.customer_id = $1 ORDER BY m.added_at, s.id",
    ),
    (
        "rfm",
        "SELECT last_at AS last_bought_at, purchases AS receipts, paid, recency, frequency, monetary, counted_on \
         FROM customer_rfm WHERE customer_id = $1",
    ),
    (
        "tier_standings",
        concat!(
            "SELECT ",
            program!("s.program_id"),
            ", s.version, s.tier_id, s.since, s.why, s.until, s.due_on FROM tier_standings s WHERE s.customer_id = $1 \
             ORDER BY s.program_id"
        ),
    ),
    (
        "tier_changes",
        concat!(
            "SELECT t.at, ",
            program!("t.program_id"),
            ", t.version, t.tier_id, t.since, t.why, t.until FROM tier_changes t WHERE t.customer_id = $1 ORDER BY t.at, t.id"
        ),
    ),
    (
        "invite_code",
        "SELECT code, created_at FROM invite_codes WHERE customer_id = $1",
    ),
    (
        "invited",
        // As the page of invitations shows them.
        "SELECT i.created_at, c.name || CASE WHEN c.surname = '' THEN '' ELSE ' ' || SUBSTR(c.surname, 1, 1) || '.' END AS friend, \
         i.purchase_id IS NOT NULL AS is_bought, i.rewarded_at IS NOT NULL AS is_rewarded, \
         i.capped_at IS NOT NULL AS is_capped FROM invitations i JOIN customers c ON c.id = i.invited_id \
         WHERE i.inviter_id = $1 ORDER BY i.created_at, i.invited_id",
    ),
    (
        "invited_by",
        "SELECT i.created_at, c.name AS friend FROM invitations i JOIN customers c ON c.id = i.inviter_id \
         WHERE i.invited_id = $1",
    ),
    (
        "requests",
        "SELECT r.number, r.created_at, t.name ->> $2 AS topic, r.status AS state, r.language, r.updated_at, r.closed_at, \
         r.about, p.document FROM requests r JOIN topics t ON t.id = r.topic_id \
         LEFT JOIN purchases p ON p.id = r.purchase_id AND p.customer_id = r.customer_id WHERE r.customer_id = $1 \
         ORDER BY r.number",
    ),
    (
        "request_messages",
        // A channel has what staff wrote down in the customer's words.
        "SELECT r.number, m.at, m.author, m.way AS channel, m.body AS text FROM requests r \
         JOIN messages m ON m.request_id = r.id WHERE r.customer_id = $1 AND NOT m.internal ORDER BY r.number, m.at, m.id",
    ),
    (
        "interactions",
        "SELECT i.at, i.channel, c.name ->> $2 AS script, o.name ->> $2 AS outcome, i.minutes, i.note FROM interactions i \
         JOIN scripts c ON c.code = i.script AND c.version = i.version JOIN script_outcomes o ON o.script = i.script \
         AND o.version = i.version AND o.code = i.outcome WHERE i.customer_id = $1 ORDER BY i.at, i.id",
    ),
    (
        "tasks",
        "SELECT t.created_at, t.title AS task, t.kind, t.due_on AS task_due, CASE WHEN t.due_minute < 1440 \
         THEN CAST(t.due_minute / 60 AS TEXT) || ':' || SUBSTR(CAST(100 + t.due_minute % 60 AS TEXT), 2) END AS task_time, \
         t.state, t.ended_at FROM tasks t WHERE t.customer_id = $1 ORDER BY t.created_at, t.id",
    ),
    (
        "notes",
        "SELECT n.at, n.body AS text FROM customer_notes n WHERE n.customer_id = $1 ORDER BY n.at, n.id",
    ),
    (
        "conversation",
        "SELECT m.at, v.channel, m.author, m.body AS text FROM conversations v \
         JOIN conversation_messages m ON m.conversation_id = v.id WHERE v.customer_id = $1 ORDER BY m.at, m.id",
    ),
    (
        "request_files",
        "SELECT r.number, a.id AS file_id, a.at, m.author, a.name AS file, a.kind AS file_kind, a.size AS bytes FROM requests r \
         JOIN messages m ON m.request_id = r.id JOIN attachments a ON a.message_id = m.id WHERE r.customer_id = $1 \
         AND NOT m.internal ORDER BY r.number, m.at, m.id, a.ordinal",
    ),
    (
        "request_ratings",
        "SELECT r.number, x.at, x.score, x.comment, x.changed_at FROM requests r JOIN request_ratings x ON x.request_id = r.id \
         WHERE r.customer_id = $1 ORDER BY r.number, x.at, x.id",
    ),
    (
        "questions",
        "SELECT q.asked_at, t.name ->> $2 AS topic, q.language, q.name, q.asked, q.body AS text, q.state, q.reason, q.published_at, \
         q.answer, q.answered_at FROM questions q JOIN topics t ON t.id = q.topic_id WHERE q.customer_id = $1 \
         ORDER BY q.asked_at, q.id",
    ),
    (
        "messages",
        "SELECT created_at, channel, address, COALESCE(masked_subject, subject) AS subject, COALESCE(masked_body, body) AS text, \
         state, sent_at, delivered_at FROM outbox WHERE customer_id = $1 ORDER BY created_at, id",
    ),
    (
        "message_wishes",
        "SELECT quiet_from, quiet_until, per_week, paused_until, updated_at FROM message_wishes WHERE customer_id = $1",
    ),
    (
        "notifications",
        "SELECT n.at, n.kind, COALESCE(c.name, n.about) AS about, n.name ->> $2 AS subject, n.points, n.day, n.read_at \
         FROM notifications n LEFT JOIN transfers t ON t.id = n.transfer_id LEFT JOIN customers c ON c.id = t.from_id \
         WHERE n.customer_id = $1 ORDER BY n.at, n.id",
    ),
    (
        "offers_switched_on",
        "SELECT a.at, p.title ->> $2 AS offer FROM activations a JOIN promotions p ON p.id = a.promotion_id \
         WHERE a.customer_id = $1 ORDER BY a.at, p.id",
    ),
    (
        "sessions",
        "SELECT created_at, device, network, seen_at, expires_at, ended_at FROM sessions WHERE customer_id = $1 \
         ORDER BY created_at, id",
    ),
    (
        "known_devices",
        "SELECT created_at, seen_at FROM known_devices WHERE customer_id = $1 ORDER BY created_at, id",
    ),
    (
        "sign_ins",
        "SELECT at, way, is_let_in, device, network FROM sign_ins WHERE customer_id = $1 ORDER BY at, id",
    ),
    (
        "second_factors",
        "SELECT kind, name, created_at, confirmed_at, used_at FROM factors WHERE customer_id = $1 ORDER BY created_at, id",
    ),
    (
        "second_factor_removals",
        "SELECT asked_at, due_at, ended_at FROM factor_removals WHERE customer_id = $1 ORDER BY asked_at, id",
    ),
    (
        "number_changes",
        "SELECT asked_at, phone, due_at, frozen_until, done_at, cancelled_at FROM number_changes WHERE customer_id = $1 \
         ORDER BY asked_at, id",
    ),
    (
        "spending_stops",
        "SELECT created_at, ends_at, lifted_at, reason FROM spending_stops WHERE customer_id = $1 ORDER BY created_at, id",
    ),
    (
        "identities",
        "SELECT provider, shown, issuer, subject AS provider_subject, linked_at, used_at FROM identities WHERE customer_id = $1 \
         ORDER BY linked_at, id",
    ),
    (
        "joined_at_till",
        "SELECT t.name AS till, e.phone, e.created_at, e.completed_at FROM enrolments e LEFT JOIN tills t ON t.id = e.till_id \
         WHERE e.customer_id = $1",
    ),
    (
        "log",
        // Whence somebody acted is told of the customer alone.
        "SELECT a.at, a.actor, COALESCE(r.name ->> $2, t.name) AS by_whom, a.action, a.reason, \
         CASE WHEN a.actor = 'customer' THEN a.network ELSE '' END AS network FROM audit a \
         LEFT JOIN staff s ON s.id = a.actor_id LEFT JOIN roles r ON r.code = s.role LEFT JOIN tills t ON t.id = a.actor_id \
         WHERE a.customer_id = $1 ORDER BY a.at, a.id",
    ),
    (
        "erasures",
        "SELECT asked_at, due_at, cancelled_at, done_at FROM erasures WHERE customer_id = $1 ORDER BY asked_at, id",
    ),
    (
        "merges",
        concat!(
            "SELECT m.at, m.kept_id = $1 AS is_kept, ",
            program!("x.program_id"),
            ", x.active + x.pending AS points, m.undo_until, m.undone_at FROM merges m \
             LEFT JOIN merge_points x ON x.merge_id = m.id WHERE m.kept_id = $1 OR m.absorbed_id = $1 \
             ORDER BY m.at, m.id, x.program_id"
        ),
    ),
    (
        "exports",
        "SELECT asked_at, state, finished_at FROM exports WHERE customer_id = $1 ORDER BY asked_at, id",
    ),
];

/// Tables that lead to a customer and are in no section, each with the reason. A test finds those that are neither here nor
/// there.
pub const LEFT_OUT: &[(&str, &str)] = &[
    // Laws of data protection let be withheld what would undo an inquiry or tell of others (GDPR, articles 15(4) and 23(1)(d);
    // Federal Law 152-FZ, article 14(8)). What became of an inquiry for the customer, a stop to spending, is told.
    (
        "fraud_alerts",
        "that odd patterns were found and are looked into: whoever reads that knows what to avoid",
    ),
    (
        "distinct_customers",
        "which accounts that look alike are somebody else's: it tells of others",
    ),
    (
        "fraud_evidence",
        "what speaks for it, of others as well: each receipt and transfer is told as what it is",
    ),
    (
        "attachment_parts",
        "what is in the files: each is a file of the archive",
    ),
    ("attempts", "a way in that is being walked: gone after two hours"),
    ("codes", "the codes of such a way, as keyed hashes"),
    ("customer_words", "the name once more, as staff's search compares it"),
    ("export_parts", "the archive itself"),
    (
        "question_votes",
        "what readers think of answers: who they are stands nowhere",
    ),
    (
        "fundings",
        "which partner pays the shop for points: what was earned stands with the purchase, and the rule that gave it",
    ),
    ("handoffs", "a way to an outside provider and back: gone after minutes"),
    (
        "request_changes",
        "that something came of a request, for pages that are open: gone after a week",
    ),
    (
        "request_clocks",
        "by when staff owed an answer, which measures staff: when it came is told with the request",
    ),
    ("request_presence", "which colleagues have a request open just now"),
    (
        "request_steps",
        "when requests were closed and opened again, for the shop's figures: how each stands is told with the request",
    ),
    (
        "level_notices",
        "what staff are told of requests that run late, are given to them or taken from them",
    ),
    (
        "request_tags",
        "words that staff put on requests for themselves, as they leave notes",
    ),
    (
        "request_bulk_items",
        "what staff did with many requests at once, to be undone: gone after a day",
    ),
    (
        "unindexed_requests",
        "which requests are about to be put together for the search: gone after a minute",
    ),
    (
        "request_drafts",
        "what staff are writing and have not sent: gone after a month",
    ),
    (
        "request_merges",
        "which requests were put together: each is told as what it is",
    ),
    (
        "request_links",
        "which requests and receipts staff found to belong together: each is told as what it is",
    ),
    (
        "approval_notices",
        "that colleagues were asked to consent to a correction of points or of a receipt: what became of it stands with the correction",
    ),
    ("staff_notices", "which colleague a note between staff names"),
    (
        "task_notices",
        "which colleague was told of a task: the task itself is told",
    ),
    (
        "explanations",
        "on which day somebody looked at what the cabinet explains: counted and gone after two days",
    ),
    (
        "merge_moves",
        "which rows went over with another account: each is told as what it is",
    ),
    (
        "views",
        "for how long staff looked at the cabinet: the log tells of each page, by whom and why",
    ),
];

/// A file of a request that goes into the archive.
pub(super) struct Packed {
    /// Which one.
    pub(super) id: AttachmentId,
    /// What it is called in the archive: its owner's name for it could pretend to be something else.
    pub(super) name: String,
}

impl Data {
    /// The files of requests that go into the archive, the last ones first as long as there is room for so many bytes. Each row
    /// then says under which name, and one that stays out says nothing.
    pub(super) fn pack_files(&mut self, room: i64) -> Vec<Packed> {
        let Some(section) = self.sections.iter_mut().find(|one| one.name == "request_files") else {
            return Vec::new();
        };
        let place = |name: &str| section.columns.iter().position(|column| column == name);
        let (Some(number), Some(id), Some(kind), Some(size)) =
            (place("number"), place("file_id"), place("file_kind"), place("bytes"))
        else {
            return Vec::new();
        };
        section.columns.push("packed_as".into());
        let (mut left, mut files) = (room, Vec::new());
        for row in section.rows.iter_mut().rev() {
            let file = match (row.get(number), row.get(id), row.get(kind), row.get(size)) {
                (
                    Some(Cell::Number(number)),
                    Some(Cell::Text(id)),
                    Some(Cell::Text(kind)),
                    Some(Cell::Number(size)),
                ) if *size <= left => {
                    left -= size;
                    let name = format!("files/{number}-{id}.{kind}");
                    id.parse().ok().map(|id| Packed { id, name })
                }
                _ => None,
            };
            row.push(file.as_ref().map_or(Cell::Empty, |file| Cell::Text(file.name.clone())));
            files.extend(file);
        }
        files
    }
}

/// Collects what is held about a customer.
pub(super) async fn gather(conn: &mut Conn, of: Subject) -> Result<Data, sqlx::Error> {
    const LANGUAGE: &str = "SELECT language FROM customers WHERE id = $1";
    let language: Lang = on!(conn, |c| sqlx::query_scalar(LANGUAGE).bind(of.id()).fetch_one(c).await)?;
    // What stayed behind with accounts that went into this one is theirs as well.
    let mut absorbed: Vec<CustomerId> = merge::heirs(conn, &[of.id()]).await?.into_keys().collect();
    absorbed.sort_unstable();
    let mut sections = Vec::new();
    for &(name, sql) in SECTIONS {
        let mut own = section(conn, of.id(), language, name, sql).await?;
        for one in &absorbed {
            let more = section(conn, *one, language, name, sql).await?;
            if own.columns.is_empty() {
                own.columns = more.columns;
            }
            own.rows.extend(more.rows);
        }
        sections.push(own);
    }
    Ok(Data {
        at: conn.now(),
        shop: conn.shop().clone(),
        language,
        sections,
    })
}

async fn section(
    conn: &mut Conn,
    of: CustomerId,
    language: Lang,
    name: &'static str,
    sql: &'static str,
) -> Result<Section, sqlx::Error> {
    // What a query does not name must not be bound either.
    let is_in_words = sql.contains("$2");
    on!(conn, |c| {
        let mut query = sqlx::query(sql).bind(of);
        if is_in_words {
            query = query.bind(language.code());
        }
        let rows = query.fetch_all(c).await?;
        let columns = rows
            .first()
            .map(|row| row.columns().iter().map(|column| column.name().to_owned()).collect());
        let rows = rows.iter().map(cells).collect::<Result<_, _>>()?;
        Ok(Section {
            name,
            columns: columns.unwrap_or_default(),
            rows,
        })
    })
}

pub(crate) fn cells<R: Read>(row: &R) -> Result<Vec<Cell>, sqlx::Error> {
    (0..row.len()).map(|column| row.cell(column)).collect()
}

/// A row of either engine.
pub(crate) trait Read: Row {
    /// The value of a column, whatever it is.
    fn cell(&self, column: usize) -> Result<Cell, sqlx::Error>;
}

impl Read for SqliteRow {
    fn cell(&self, column: usize) -> Result<Cell, sqlx::Error> {
        let value = self.try_get_raw(column)?;
        let kind = value.type_info().name().to_owned();
        let is_flag = self.column(column).name().starts_with("is_");
        Ok(match kind.as_str() {
            _ if value.is_null() => Cell::Empty,
            "INTEGER" if is_flag => Cell::Flag(self.try_get(column)?),
            "INTEGER" => Cell::Number(self.try_get(column)?),
            "BLOB" => Cell::Text(self.try_get::<Uuid, _>(column)?.to_string()),
            _ => Cell::Text(self.try_get(column)?),
        })
    }
}

impl Read for PgRow {
    fn cell(&self, column: usize) -> Result<Cell, sqlx::Error> {
        let value = self.try_get_raw(column)?;
        let kind = value.type_info().name().to_owned();
        Ok(match kind.as_str() {
            _ if value.is_null() => Cell::Empty,
            "BOOL" => Cell::Flag(self.try_get(column)?),
            "INT8" => Cell::Number(self.try_get(column)?),
            "UUID" => Cell::Text(self.try_get::<Uuid, _>(column)?.to_string()),
            "DATE" => Cell::Text(self.try_get::<NaiveDate, _>(column)?.to_string()),
            // As SQLite keeps it.
            "TIMESTAMPTZ" => {
                let at: DateTime<Utc> = self.try_get(column)?;
                Cell::Text(at.to_rfc3339_opts(SecondsFormat::AutoSi, false))
            }
            _ => Cell::Text(self.try_get(column)?),
        })
    }
}

impl Serialize for Data {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("format", "kabinet-export-1")?;
        map.serialize_entry("shop", &self.shop.name)?;
        map.serialize_entry("made_at", &self.at)?;
        map.serialize_entry("language", self.language.code())?;
        map.serialize_entry("currency", &self.shop.currency)?;
        map.serialize_entry("units", "money and points are whole hundredths; times are UTC")?;
        for section in &self.sections {
            map.serialize_entry(section.name, section)?;
        }
        map.end()
    }
}

impl Serialize for Section {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.rows.iter().map(|row| Named(&self.columns, row)))
    }
}

/// A row with the names of its columns.
struct Named<'a>(&'a [String], &'a [Cell]);

impl Serialize for Named<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().zip(self.1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_go_along_as_long_as_there_is_room_the_last_ones_first() {
        let columns = ["number", "file_id", "file", "file_kind", "bytes"].map(str::to_owned);
        let file = |number: i64, size: i64| {
            vec![
                Cell::Number(number),
                Cell::Text(Uuid::from_u128(u128::from(number.unsigned_abs())).to_string()),
                Cell::Text("../../чек.png".into()),
                Cell::Text("png".into()),
                Cell::Number(size),
            ]
        };
        let mut data = Data {
            at: DateTime::default(),
            shop: Arc::default(),
            language: Lang::Ru,
            sections: vec![Section {
                name: "request_files",
                columns: columns.to_vec(),
                rows: vec![file(1, 3), file(2, 9), file(3, 7)],
            }],
        };
        let packed: Vec<String> = data.pack_files(10).into_iter().map(|one| one.name).collect();
        let name = |number: u128| format!("files/{number}-{}.png", Uuid::from_u128(number));
        assert_eq!(packed, [name(3), name(1)]);
        let told: Vec<_> = data.sections[0].rows.iter().map(|row| row.last().cloned()).collect();
        assert_eq!(
            told,
            [Some(Cell::Text(name(1))), Some(Cell::Empty), Some(Cell::Text(name(3)))]
        );
        let nothing = &mut Data {
            sections: Vec::new(),
            ..data
        };
        assert!(nothing.pack_files(10).is_empty());
    }
}
