//! What rules gave on the lines of a receipt, each in the version that counted then: so that a receipt says where every point
//! and every discount came from.

use crate::db::{self, Bind, Conn, ListQuery};
use crate::error::Error;
use crate::id::{LineId, ProgramId, PurchaseId, RuleId};
use crate::lang::Localized;
use crate::points::{Part, Source};
use crate::rule::RuleVersion;
use serde::Deserialize;
use sqlx::types::Json;
use std::collections::BTreeSet;

/// Of a version of a rule: what it is called, and who pays for its points. The rest may be in words of another release.
#[derive(Deserialize)]
struct Named {
    name: Localized,
    #[serde(default)]
    funded_by: Option<String>,
}

/// What rules gave on lines of receipts: of each line what they took off, and the points in each program.
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

/// What rules gave on the lines of these receipts, of each the rule that was asked first first.
pub async fn parts_of(conn: &mut Conn, purchases: &BTreeSet<PurchaseId>) -> Result<Parts, Error> {
    type Row = (LineId, Option<ProgramId>, RuleId, i64, i64, Option<Json<Named>>);
    const SELECT: &str = "SELECT g.line_id, g.program_id, g.rule_id, g.version, g.amount, v.definition FROM grants g \
        JOIN rule_versions v ON v.rule_id = g.rule_id AND v.version = g.version";
    let query = ListQuery::new(SELECT)
        .within("g.purchase_id", purchases.iter().map(|id| Bind::Id(id.0)))
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
        let (name, partner) = named.map(|named| (named.0.name, named.0.funded_by)).unwrap_or_default();
        let part = Part {
            by,
            name,
            amount,
            partner: partner.filter(|_| program.is_some()),
        };
        parts.0.push((line, program, part));
    }
    Ok(parts)
}
