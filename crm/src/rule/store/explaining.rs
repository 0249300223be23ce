//! Where every point of a receipt came from: the program's own share and the rules, each in the version that counted then,
//! the lot that they went into, and when they can be spent.

use crate::db::{self, Bind, Conn, ListQuery};
use crate::error::Error;
use crate::id::{LineId, ProgramId, PurchaseId, RuleId};
use crate::lang::Localized;
use crate::points::store as points;
use crate::points::{Earned, Part, Source};
use crate::rule::RuleVersion;
use crate::who::Subject;
use serde::Deserialize;
use sqlx::types::Json;

/// What a line of a receipt was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explained {
    /// The line.
    pub line: LineId,
    /// The points, program by program, each with the parts that it is made of.
    pub earned: Vec<Earned>,
    /// What rules took off, in minor units.
    pub discounts: Vec<Part>,
}

/// Of a version of a rule: what it is called. The rest may be in words of another release.
#[derive(Deserialize)]
struct Named {
    name: Localized,
}

/// What rules gave on lines of a receipt: of each line what they took off, and the points in each program.
#[derive(Debug, Default)]
pub struct Parts(Vec<(LineId, Option<ProgramId>, Part)>);

impl Parts {
    /// What rules took off a line.
    pub fn discounts(&self, line: LineId) -> Vec<Part> {
        self.of(line, None)
    }

    /// The points that rules gave on a line in a program.
    pub fn points(&self, line: LineId, program: ProgramId) -> Vec<Part> {
        self.of(line, Some(program))
    }

    fn of(&self, line: LineId, program: Option<ProgramId>) -> Vec<Part> {
        let all = self.0.iter().filter(|(on, of, _)| (*on, *of) == (line, program));
        all.map(|(.., part)| part.clone()).collect()
    }
}

/// What rules gave on the lines of a receipt, the rule that was asked first first.
pub async fn parts_of(conn: &mut Conn, purchase: PurchaseId) -> Result<Parts, Error> {
    type Row = (LineId, Option<ProgramId>, RuleId, i64, i64, Option<Json<Named>>);
    const SELECT: &str = "SELECT g.line_id, g.program_id, g.rule_id, g.version, g.amount, v.definition FROM grants g \
        JOIN rule_versions v ON v.rule_id = g.rule_id AND v.version = g.version";
    let query = ListQuery::new(SELECT)
        .filter("g.purchase_id = ?", [Bind::Id(purchase.0)])
        .filter("g.line_id IS NOT NULL AND g.kind IN ('discount', 'points')", [])
        .tail("ORDER BY g.id");
    let mut parts = Parts::default();
    for (line, program, id, version, amount, named) in db::list::<Row>(conn, query).await? {
        let by = Source::Rule(RuleVersion { id, version });
        let known = parts
            .0
            .iter_mut()
            .find(|(on, of, part)| (*on, *of, part.by) == (line, program, by));
        if let Some((.., part)) = known {
            part.amount += amount;
            continue;
        }
        let part = Part {
            by,
            name: named.map(|named| named.0.name).unwrap_or_default(),
            amount,
        };
        parts.0.push((line, program, part));
    }
    Ok(parts)
}

/// Explains a customer's receipt line by line, in their order; lines that were given nothing are left out. Empty for a
/// receipt of somebody else.
pub async fn explain(conn: &mut Conn, of: Subject, purchase: PurchaseId) -> Result<Vec<Explained>, Error> {
    let earned = points::earned_on(conn, of, purchase).await?;
    let query = ListQuery::new("SELECT l.id FROM purchase_lines l JOIN purchases p ON p.id = l.purchase_id")
        .filter(
            "p.id = ? AND p.customer_id = ?",
            [Bind::Id(purchase.0), Bind::Id(of.id().0)],
        )
        .tail("ORDER BY l.ordinal");
    let lines: Vec<(LineId,)> = db::list(conn, query).await?;
    let parts = match lines.is_empty() {
        true => Parts::default(),
        false => parts_of(conn, purchase).await?,
    };
    let explained = lines.into_iter().map(|(line,)| Explained {
        line,
        earned: earned.iter().filter(|one| one.line == line).cloned().collect(),
        discounts: parts.discounts(line),
    });
    Ok(explained
        .filter(|one| !one.earned.is_empty() || !one.discounts.is_empty())
        .collect())
}
