//! What is known of the points of a receipt, in words for staff: it goes with a request by which a customer says that points
//! are missing, so that nobody has to look for it, and as it was when they wrote.

use crate::cx::Cx;
use crate::format;
use crate::texts::Texts;
use chrono::{DateTime, Utc};
use crm::content::percent;
use crm::id::{LineId, PurchaseId};
use crm::points::{Earned, LotState, Source};
use crm::purchase::{Kind, Line, Receipt, store as purchases};
use crm::quote::why::{Answer, Asked, Share, Why, why};
use islands::AppError;

/// Of a longer receipt no more lines are told.
const LINES: usize = 50;

/// The trace of a receipt, or of one of its lines where it has that one. None for what is not the customer's.
pub async fn trace(cx: &Cx, id: PurchaseId, line: Option<LineId>) -> Result<Option<String>, AppError> {
    let me = cx.customer()?.me();
    let mut conn = cx.db.read().await?;
    let receipt = match purchases::receipt(&mut conn, me, id).await {
        Ok(receipt) => receipt,
        Err(crm::Error::NotFound) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let asked = match receipt.head.kind {
        Kind::Sale => Some(why(&mut conn, me, id).await?),
        Kind::Return => None,
    };
    drop(conn);
    Ok(Some(Words::of(cx).told(&receipt, line, asked.as_ref())))
}

/// The words of the shop's own language: whoever will read it is not known yet.
struct Words<'a> {
    cx: &'a Cx,
    t: &'static Texts,
}

impl<'a> Words<'a> {
    fn of(cx: &'a Cx) -> Self {
        let t = Texts::of(cx.shop().language);
        Self { cx, t }
    }

    fn told(&self, receipt: &Receipt, line: Option<LineId>, why: Option<&Why>) -> String {
        let t = &self.t.trace;
        let head = &receipt.head;
        let shop = self.cx.shop();
        let asked = line.and_then(|id| receipt.lines.iter().find(|line| line.id == id));
        let about = match asked {
            Some(line) => t.about_line(&line.name),
            None => t.about_receipt.to_owned(),
        };
        let local = self.cx.local_in(head.store.as_ref(), head.at);
        let when = format!(
            "{}, {}",
            format::date(shop.language, local.date()),
            local.format("%H:%M")
        );
        let receipt_words = t.receipt(&head.document, self.money(head.total), when);
        let mut told = vec![format!("{about}\n{receipt_words}")];
        let lines: Vec<&Line> = match asked {
            Some(line) => vec![line],
            None => receipt.lines.iter().take(LINES).collect(),
        };
        told.extend(lines.iter().map(|line| self.line(line)));
        if asked.is_none() && receipt.lines.len() > LINES {
            told.push(t.first_lines(receipt.lines.len(), LINES));
        }
        if let Some(Why { shares, rules }) = why {
            if !shares.is_empty() {
                told.push(self.shares(shares));
            }
            told.push(self.rules(rules));
        }
        told.join("\n\n")
    }

    /// A line with what it earned: by which version of what, and where those points are.
    fn line(&self, line: &Line) -> String {
        let t = &self.t.trace;
        let mut told = vec![t.line(
            self.money(line.amount),
            &line.name,
            &line.code,
            line.ordinal,
            self.money(line.price),
            format::integer(line.quantity),
        )];
        if line.discount != 0 {
            told.push(t.discount(self.money(line.discount)));
        }
        let paid: i64 = line.paid.iter().map(|paid| paid.points - paid.given_back).sum();
        if paid != 0 {
            told.push(t.paid(self.points(paid)));
        }
        if line.returned != 0 {
            told.push(t.returned(format::integer(line.returned)));
        }
        told.extend(line.earned.iter().map(|earned| self.earned(earned)));
        if line.earned.is_empty() {
            told.push(t.nothing.to_owned());
        }
        told.join("\n")
    }

    fn earned(&self, earned: &Earned) -> String {
        let t = &self.t.trace;
        let lang = self.cx.shop().language;
        let parts: Vec<String> = earned
            .parts
            .iter()
            .map(|part| {
                let name = part.name.get(lang);
                let by = match part.by {
                    Source::Program(version) => {
                        let share = percent(lang, earned.share);
                        self.t.receipt.by_program(name, share, version)
                    }
                    Source::Rule(by) => self.t.receipt.by_rule(name, by.version),
                };
                let by = match &part.partner {
                    Some(partner) => self.t.receipt.by_partner(by, partner),
                    None => by,
                };
                format!("{} ({by})", self.points(part.amount))
            })
            .collect();
        let mut told = t.earned(parts.join(" + "), self.points(earned.points), earned.name.get(lang));
        let (from, until) = (self.day(earned.activates_at), self.day(earned.expires_at));
        told.push_str("; ");
        told.push_str(&match earned.state {
            LotState::Pending => t.pending(from, until),
            LotState::Active => t.active(from, until),
            LotState::Expired => t.expired(until),
        });
        if earned.taken_back != 0 {
            told.push_str("; ");
            told.push_str(&t.taken_back(self.points(earned.taken_back)));
        }
        told
    }

    /// What each program's own share gave, also of those that the customer was not in.
    fn shares(&self, shares: &[Share]) -> String {
        let t = &self.t.trace;
        let lang = self.cx.shop().language;
        let share = |share: &Share| {
            let became = match (share.earned > 0, share.is_member) {
                (true, _) => t.points(self.points(share.earned)),
                (false, true) => t.too_little.to_owned(),
                (false, false) => t.no_member.to_owned(),
            };
            t.share(became, percent(lang, share.share), share.program.get(lang))
        };
        let told: Vec<String> = std::iter::once(t.programs.to_owned())
            .chain(shares.iter().map(share))
            .collect();
        told.join("\n")
    }

    /// Which rules gave something, and why the others did not.
    fn rules(&self, rules: &[Asked]) -> String {
        let t = &self.t.trace;
        if rules.is_empty() {
            return t.no_rules.to_owned();
        }
        let lang = self.cx.shop().language;
        let rule = |rule: &Asked| {
            let name = self.t.receipt.by_rule(rule.name.get(lang), rule.by.version);
            let became = match &rule.answer {
                Answer::Gave { discount, points } => {
                    let discount = (*discount > 0).then(|| t.discount(self.money(*discount)));
                    let points = (*points > 0).then(|| t.points(self.points(*points)));
                    [discount, points].into_iter().flatten().collect::<Vec<_>>().join(", ")
                }
                Answer::Failed(words) => t.failed(words.get(lang)),
                Answer::Unclear => t.unclear.to_owned(),
            };
            format!("{name}: {became}")
        };
        let told: Vec<String> = std::iter::once(t.rules.to_owned())
            .chain(rules.iter().map(rule))
            .collect();
        told.join("\n")
    }

    fn money(&self, minor: i64) -> String {
        let shop = self.cx.shop();
        format::money(shop.language, shop, minor)
    }

    fn points(&self, minor: i64) -> String {
        format::points(self.cx.shop().language, minor)
    }

    fn day(&self, at: DateTime<Utc>) -> String {
        let shop = self.cx.shop();
        format::date(shop.language, shop.day(at))
    }
}
