//! The rows that go over with an account, and come back.

use crate::consent::{Act, Consent, store as consents};
use crate::contact::Kind;
use crate::db::{Conn, Tx};
use crate::error::Error;
use crate::id::{ConsentId, CustomerId, MergeId};
use crate::on;
use crate::who::System;

/// The purpose by which parents agree to what is known of their children.
const CHILD: &str = "child";

/// Rows that lead to a customer by a column. Binds: `$1` the merge, `$2` whose they are, `$3` whose they become.
struct Moved {
    /// Writes down which go over.
    note: &'static str,
    /// Lets those that were written down go over, or come back.
    set: &'static str,
}

macro_rules! moved {
    ($kind:literal, $table:literal, $id:literal, $owner:literal, $but:literal) => {
        Moved {
            note: concat!(
                "INSERT INTO merge_moves (merge_id, kind, row_id) SELECT $1, '",
                $kind,
                "', ",
                $id,
                " FROM ",
                $table,
                " WHERE ",
                $owner,
                " = $2 AND $2 <> $3",
                $but
            ),
            set: concat!(
                "UPDATE ",
                $table,
                " SET ",
                $owner,
                " = $3 WHERE ",
                $owner,
                " = $2 AND ",
                $id,
                " IN (SELECT row_id FROM merge_moves WHERE merge_id = $1 AND kind = '",
                $kind,
                "')"
            ),
        }
    };
    ($table:literal) => {
        moved!($table, $table, "id", "customer_id", "")
    };
}

const MOVED: &[Moved] = &[
    moved!("cards"),
    moved!("purchases"),
    moved!("reservations"),
    moved!("adjustments"),
    moved!("requests"),
    moved!("identities"),
    moved!("coupons"),
    // Of a browser that both came in by, each keeps what it knows.
    moved!(
        "known_devices",
        "known_devices",
        "id",
        "customer_id",
        " AND token_hash NOT IN (SELECT k.token_hash FROM known_devices k WHERE k.customer_id = $3)"
    ),
    moved!("questions"),
    moved!("interactions"),
    moved!("tasks"),
    moved!("customer_notes"),
    moved!("fraud_alerts"),
    moved!("fraud_evidence"),
    // While one lasts nothing is merged.
    moved!(
        "spending_stops",
        "spending_stops",
        "id",
        "customer_id",
        " AND lifted_at IS NOT NULL"
    ),
    moved!(
        "segment_members",
        "segment_members",
        "segment_id",
        "customer_id",
        " AND segment_id NOT IN (SELECT m.segment_id FROM segment_members m WHERE m.customer_id = $3)"
    ),
    // Where one is a member of both, the kept one's membership counts.
    moved!(
        "memberships",
        "memberships",
        "id",
        "customer_id",
        " AND left_at IS NULL AND program_id NOT IN \
         (SELECT m.program_id FROM memberships m WHERE m.customer_id = $3 AND m.left_at IS NULL)"
    ),
    moved!(
        "activations",
        "activations",
        "promotion_id",
        "customer_id",
        " AND promotion_id NOT IN (SELECT a.promotion_id FROM activations a WHERE a.customer_id = $3)"
    ),
    // What was given away and whom was invited counts towards the limits of the kept one.
    moved!("transfers_from", "transfers", "id", "from_id", ""),
    moved!("transfers_to", "transfers", "id", "to_id", ""),
    moved!(
        "invitations",
        "invitations",
        "invited_id",
        "inviter_id",
        " AND invited_id <> $3"
    ),
    // Accounts that went into the absorbed one before.
    moved!("customers", "customers", "id", "merged_into", ""),
];

/// Children go over unless the parent has taken back what allows to know of them. One of the same day is the same child.
const CHILDREN: Moved = moved!(
    "children",
    "children",
    "id",
    "customer_id",
    " AND birthday NOT IN (SELECT k.birthday FROM children k WHERE k.customer_id = $3)"
);

/// What is written down of rows that stay where they are, or go over in a way of their own.
const NOTED: &[&str] = &[
    "INSERT INTO merge_moves (merge_id, kind, row_id) SELECT $1, 'lots', id FROM lots WHERE customer_id = $2 AND $2 <> $3",
    "INSERT INTO merge_moves (merge_id, kind, row_id) SELECT $1, 'enrolments', id FROM enrolments WHERE customer_id = $2 \
     AND completed_at IS NULL AND $2 <> $3",
    // Which contacts were the absorbed one's main ones, which were proved, and which of the kept one's.
    "INSERT INTO merge_moves (merge_id, kind, row_id) SELECT $1, 'primary', id FROM contacts WHERE customer_id = $2 \
     AND is_primary AND $2 <> $3",
    "INSERT INTO merge_moves (merge_id, kind, row_id) SELECT $1, 'proved', id FROM contacts WHERE customer_id = $2 \
     AND kind = 'phone' AND verified_at IS NOT NULL AND $2 <> $3",
    "INSERT INTO merge_moves (merge_id, kind, row_id) SELECT $1, 'kept_proved', id FROM contacts WHERE customer_id = $3 \
     AND kind = 'phone' AND verified_at IS NOT NULL AND $2 <> $3",
    "INSERT INTO merge_moves (merge_id, kind, row_id) SELECT $1, 'contacts', id FROM contacts WHERE customer_id = $2 \
     AND $2 <> $3 AND NOT EXISTS (SELECT 1 FROM contacts k WHERE k.customer_id = $3 AND k.kind = contacts.kind \
     AND k.value = contacts.value)",
];

/// The ids that a merge wrote down of a kind, within a query that binds it as `$1`.
macro_rules! noted {
    ($kind:literal) => {
        concat!(
            "(SELECT row_id FROM merge_moves WHERE merge_id = $1 AND kind = '",
            $kind,
            "')"
        )
    };
}

/// Runs a statement about a merge and two customers.
async fn run(
    tx: &mut Tx,
    sql: &'static str,
    merge: MergeId,
    first: CustomerId,
    second: CustomerId,
) -> Result<(), sqlx::Error> {
    on!(tx, |c| sqlx::query(sql)
        .bind(merge)
        .bind(first)
        .bind(second)
        .execute(c)
        .await
        .map(drop))
}

/// Fills what the kept account does not tell from the other one; which that was, in words parted by spaces.
pub(super) async fn fill(tx: &mut Tx, kept: CustomerId, absorbed: CustomerId) -> Result<String, sqlx::Error> {
    const FILL: [(&str, &str); 5] = [
        (
            "birthday",
            "UPDATE customers SET birthday = (SELECT a.birthday FROM customers a WHERE a.id = $2) WHERE id = $1 \
             AND birthday IS NULL AND EXISTS (SELECT 1 FROM customers a WHERE a.id = $2 AND a.birthday IS NOT NULL)",
        ),
        (
            "store",
            "UPDATE customers SET favourite_store_id = (SELECT a.favourite_store_id FROM customers a WHERE a.id = $2) \
             WHERE id = $1 AND favourite_store_id IS NULL AND EXISTS \
             (SELECT 1 FROM customers a WHERE a.id = $2 AND a.favourite_store_id IS NOT NULL)",
        ),
        (
            "address",
            "UPDATE customers SET address = (SELECT a.address FROM customers a WHERE a.id = $2) WHERE id = $1 \
             AND address IS NULL AND EXISTS (SELECT 1 FROM customers a WHERE a.id = $2 AND a.address IS NOT NULL)",
        ),
        (
            "wishes",
            "INSERT INTO wishes (customer_id, brands, sizes, occasions, wishes, changed_at) \
             SELECT $1, a.brands, a.sizes, a.occasions, a.wishes, a.changed_at FROM wishes a WHERE a.customer_id = $2 \
             ON CONFLICT (customer_id) DO UPDATE SET brands = excluded.brands, sizes = excluded.sizes, \
             occasions = excluded.occasions, wishes = excluded.wishes, changed_at = excluded.changed_at \
             WHERE wishes.brands = '' AND wishes.sizes = '' AND wishes.occasions = '' AND wishes.wishes = ''",
        ),
        (
            "answers",
            "INSERT INTO answers (customer_id, question, version, choice, at) \
             SELECT $1, a.question, a.version, a.choice, a.at FROM answers a WHERE a.customer_id = $2 \
             ON CONFLICT (customer_id, question) DO NOTHING",
        ),
    ];
    let mut filled = Vec::new();
    for (word, sql) in FILL {
        let rows = on!(tx, |c| sqlx::query(sql)
            .bind(kept)
            .bind(absorbed)
            .execute(c)
            .await
            .map(|done| done.rows_affected()))?;
        if rows > 0 {
            filled.push(word);
        }
    }
    Ok(filled.join(" "))
}

/// Lets the rows of the absorbed account go over. Lots are written down, and carried by the ledger.
pub(super) async fn go(tx: &mut Tx, merge: MergeId, kept: CustomerId, absorbed: CustomerId) -> Result<(), Error> {
    // What the kept one only typed the other has proved: it is the same number or address.
    const TYPED: &str = "DELETE FROM contacts WHERE customer_id = $1 AND verified_at IS NULL AND EXISTS \
        (SELECT 1 FROM contacts a WHERE a.customer_id = $2 AND a.kind = contacts.kind AND a.value = contacts.value \
        AND a.verified_at IS NOT NULL)";
    const CONTACTS: &str = concat!(
        "UPDATE contacts SET customer_id = $3, is_primary = (is_primary AND NOT EXISTS (SELECT 1 FROM contacts k \
         WHERE k.customer_id = $3 AND k.kind = contacts.kind AND k.is_primary)) WHERE customer_id = $2 AND id IN ",
        noted!("contacts")
    );
    const ENROLMENTS: &str = concat!(
        "UPDATE enrolments SET completed_at = $2 WHERE id IN ",
        noted!("enrolments")
    );
    on!(tx, |c| sqlx::query(TYPED)
        .bind(kept)
        .bind(absorbed)
        .execute(c)
        .await
        .map(drop))?;
    for &sql in NOTED {
        run(tx, sql, merge, absorbed, kept).await?;
    }
    for moved in MOVED {
        run(tx, moved.note, merge, absorbed, kept).await?;
        run(tx, moved.set, merge, absorbed, kept).await?;
    }
    run(tx, CONTACTS, merge, absorbed, kept).await?;
    let now = tx.now();
    on!(tx, |c| sqlx::query(ENROLMENTS)
        .bind(merge)
        .bind(now)
        .execute(c)
        .await
        .map(drop))?;
    agree(tx, merge, kept, absorbed).await
}

/// The stricter act of either counts: what the absorbed account took back is taken back. Children come along with what allows
/// to know of them.
async fn agree(tx: &mut Tx, merge: MergeId, kept: CustomerId, absorbed: CustomerId) -> Result<(), Error> {
    const HAS: &str = "SELECT COUNT(*) FROM merge_moves WHERE merge_id = $1 AND kind = 'children'";
    let (ours, theirs) = (last_acts(tx, kept).await?, last_acts(tx, absorbed).await?);
    for consent in stricter(&ours, &theirs) {
        again(tx, consent.id, kept, Act::Withdrawn).await?;
        note(tx, merge, "consent", consent.id).await?;
    }
    let (own, given) = (of_child(&ours), of_child(&theirs));
    if own.is_some_and(|consent| consent.act == Act::Withdrawn) {
        return Ok(());
    }
    run(tx, CHILDREN.note, merge, absorbed, kept).await?;
    run(tx, CHILDREN.set, merge, absorbed, kept).await?;
    let children: i64 = on!(tx, |c| sqlx::query_scalar(HAS).bind(merge).fetch_one(c).await)?;
    if let Some(given) = given
        && own.is_none()
        && children > 0
    {
        let id = again(tx, given.id, kept, given.act).await?;
        note(tx, merge, "child_consent", id).await?;
    }
    Ok(())
}

/// What a parent did last about what is known of their children.
fn of_child(all: &[Consent]) -> Option<&Consent> {
    all.iter().find(|consent| consent.code == CHILD)
}

/// What somebody did last about each purpose.
pub(super) async fn last_acts(conn: &mut Conn, customer: CustomerId) -> Result<Vec<Consent>, Error> {
    let mut last: Vec<Consent> = Vec::new();
    for consent in consents::history(conn, System::at_the_command_line().subject(customer)).await? {
        if last.iter().all(|known| known.code != consent.code) {
            last.push(consent);
        }
    }
    Ok(last)
}

/// What the kept account agrees to and the absorbed one took back.
pub(super) fn stricter<'a>(ours: &'a [Consent], theirs: &[Consent]) -> Vec<&'a Consent> {
    let taken_back = |code: &str| theirs.iter().any(|it| it.code == code && it.act == Act::Withdrawn);
    ours.iter()
        .filter(|consent| consent.act == Act::Given && consent.code != CHILD && taken_back(&consent.code))
        .collect()
}

/// Writes an act down about the text of another one.
async fn again(tx: &mut Tx, of: ConsentId, customer: CustomerId, act: Act) -> Result<ConsentId, sqlx::Error> {
    const SQL: &str = "INSERT INTO consents (id, customer_id, text_id, act, language, source, at) \
                       SELECT $1, $2, text_id, $3, language, 'merge', $4 FROM consents WHERE id = $5";
    let (id, now) = (ConsentId::new(), tx.now());
    on!(tx, |c| sqlx::query(SQL)
        .bind(id)
        .bind(customer)
        .bind(act)
        .bind(now)
        .bind(of)
        .execute(c)
        .await
        .map(drop))?;
    Ok(id)
}

async fn note(tx: &mut Tx, merge: MergeId, kind: &str, row: ConsentId) -> Result<(), sqlx::Error> {
    const SQL: &str = "INSERT INTO merge_moves (merge_id, kind, row_id) VALUES ($1, $2, $3)";
    on!(tx, |c| sqlx::query(SQL)
        .bind(merge)
        .bind(kind)
        .bind(row)
        .execute(c)
        .await
        .map(drop))
}

/// Whether either account has a proved phone after they part, where it had one before.
pub(super) async fn leaves_both_reachable(
    conn: &mut Conn,
    merge: MergeId,
    kept: CustomerId,
) -> Result<bool, sqlx::Error> {
    const SQL: &str = concat!(
        "SELECT NOT EXISTS (SELECT 1 FROM merge_moves WHERE merge_id = $1 AND kind = 'proved') \
         OR EXISTS (SELECT 1 FROM contacts WHERE verified_at IS NOT NULL AND id IN ",
        noted!("proved"),
        "), NOT EXISTS (SELECT 1 FROM merge_moves WHERE merge_id = $1 AND kind = 'kept_proved') \
         OR EXISTS (SELECT 1 FROM contacts WHERE customer_id = $2 AND kind = 'phone' AND verified_at IS NOT NULL \
         AND id NOT IN ",
        noted!("contacts"),
        ")"
    );
    let (theirs, ours): (bool, bool) = on!(conn, |c| sqlx::query_as(SQL).bind(merge).bind(kept).fetch_one(c).await)?;
    Ok(theirs && ours)
}

/// Lets the rows that went over come back. The lots have come back before.
pub(super) async fn come_back(
    tx: &mut Tx,
    merge: MergeId,
    kept: CustomerId,
    absorbed: CustomerId,
    filled: &str,
) -> Result<(), Error> {
    const CONTACTS: &str = concat!(
        "UPDATE contacts SET customer_id = $3, is_primary = (id IN ",
        noted!("primary"),
        ") WHERE customer_id = $2 AND id IN ",
        noted!("contacts")
    );
    // What the kept one has now of a kind has to have a main one: a proved one before others.
    const MAIN: &str = "UPDATE contacts SET is_primary = $3 WHERE id = (SELECT id FROM contacts WHERE customer_id = $1 \
        AND kind = $2 ORDER BY CASE WHEN verified_at IS NULL THEN 1 ELSE 0 END, created_at, id LIMIT 1) \
        AND NOT EXISTS (SELECT 1 FROM contacts k WHERE k.customer_id = $1 AND k.kind = $2 AND k.is_primary)";
    // Who joined with this phone since then goes by that record.
    const ENROLMENTS: &str = concat!(
        "UPDATE enrolments SET completed_at = NULL WHERE id IN ",
        noted!("enrolments"),
        " AND NOT EXISTS (SELECT 1 FROM enrolments e WHERE e.phone = enrolments.phone AND e.completed_at IS NULL)"
    );
    // What the customer has told anew since has another time.
    const EMPTY: [(&str, &str); 5] = [
        (
            "birthday",
            "UPDATE customers SET birthday = NULL WHERE id = $1 \
             AND birthday = (SELECT a.birthday FROM customers a WHERE a.id = $2)",
        ),
        (
            "store",
            "UPDATE customers SET favourite_store_id = NULL WHERE id = $1 \
             AND favourite_store_id = (SELECT a.favourite_store_id FROM customers a WHERE a.id = $2)",
        ),
        (
            "address",
            "UPDATE customers SET address = NULL WHERE id = $1 \
             AND address = (SELECT a.address FROM customers a WHERE a.id = $2)",
        ),
        (
            "wishes",
            "DELETE FROM wishes WHERE customer_id = $1 \
             AND changed_at = (SELECT a.changed_at FROM wishes a WHERE a.customer_id = $2)",
        ),
        (
            "answers",
            "DELETE FROM answers WHERE customer_id = $1 AND EXISTS (SELECT 1 FROM answers a WHERE a.customer_id = $2 \
             AND a.question = answers.question AND a.choice = answers.choice AND a.at = answers.at)",
        ),
    ];
    // Whom staff have put into a segment since stays in it.
    const SEGMENTS: &str = concat!(
        "INSERT INTO segment_members (segment_id, customer_id, added_at) \
         SELECT m.segment_id, $2, m.added_at FROM segment_members m WHERE m.customer_id = $3 \
         AND m.added_at > (SELECT g.at FROM merges g WHERE g.id = $1) AND m.segment_id IN ",
        noted!("segment_members"),
        " ON CONFLICT DO NOTHING"
    );
    // A colleague consented to it meanwhile: its points are the kept one's, and so is what tells of them.
    const CORRECTED: &str = "UPDATE adjustments SET customer_id = $1 WHERE customer_id = $2 AND transaction_id IN \
                             (SELECT t.id FROM transactions t WHERE t.customer_id = $1 AND t.kind = 'adjustment')";
    // What was corrected meanwhile may have been for a request that is the other one's again, and none of theirs.
    const UNNAMED: &str = "UPDATE adjustments SET request_id = NULL WHERE customer_id IN ($1, $2) AND EXISTS \
                           (SELECT 1 FROM requests r WHERE r.id = adjustments.request_id \
                           AND r.customer_id <> adjustments.customer_id)";
    for moved in MOVED.iter().chain([&CHILDREN]) {
        run(tx, moved.set, merge, kept, absorbed).await?;
    }
    for sql in [CORRECTED, UNNAMED] {
        on!(tx, |c| sqlx::query(sql)
            .bind(kept)
            .bind(absorbed)
            .execute(c)
            .await
            .map(drop))?;
    }
    run(tx, SEGMENTS, merge, kept, absorbed).await?;
    run(tx, CONTACTS, merge, kept, absorbed).await?;
    for kind in [Kind::Phone, Kind::Email] {
        on!(tx, |c| sqlx::query(MAIN)
            .bind(kept)
            .bind(kind)
            .bind(true)
            .execute(c)
            .await
            .map(drop))?;
    }
    on!(tx, |c| sqlx::query(ENROLMENTS).bind(merge).execute(c).await.map(drop))?;
    for (word, sql) in EMPTY {
        if filled.split(' ').any(|one| one == word) {
            on!(tx, |c| sqlx::query(sql)
                .bind(kept)
                .bind(absorbed)
                .execute(c)
                .await
                .map(drop))?;
        }
    }
    disagree(tx, merge, kept).await
}

/// What the merge took back or brought is as before, where the customer has not said anything about it since.
async fn disagree(tx: &mut Tx, merge: MergeId, kept: CustomerId) -> Result<(), Error> {
    const NOTED: &str = "SELECT v.row_id, v.kind FROM merge_moves v WHERE v.merge_id = $1 \
                         AND v.kind IN ('consent', 'child_consent') ORDER BY v.row_id";
    const PURPOSE: &str = "SELECT p.code FROM consents c JOIN consent_texts t ON t.id = c.text_id \
                           JOIN consent_purposes p ON p.id = t.purpose_id WHERE c.id = $1";
    let noted: Vec<(ConsentId, String)> = on!(tx, |c| sqlx::query_as(NOTED).bind(merge).fetch_all(c).await)?;
    let last = last_acts(tx, kept).await?;
    for (id, kind) in noted {
        let code: String = on!(tx, |c| sqlx::query_scalar(PURPOSE).bind(id).fetch_one(c).await)?;
        let is_ours = last.iter().any(|act| act.code == code && act.source == "merge");
        let act = match kind.as_str() {
            "consent" => Act::Given,
            _ => Act::Withdrawn,
        };
        if is_ours {
            again(tx, id, kept, act).await?;
        }
    }
    Ok(())
}
