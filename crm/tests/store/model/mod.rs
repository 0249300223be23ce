//! What the ledger should say, told a second time and more simply: plain lists in memory, everything done at the moment it
//! is due. It shares no code with the engine.

use chrono::{DateTime, Duration, Utc};
use std::collections::BTreeMap;

pub(crate) mod tiers;

pub(crate) type Time = DateTime<Utc>;

/// A program: hundredths of a percent, days of waiting, days of the term.
#[derive(Clone, Copy)]
pub(crate) struct Terms {
    pub(crate) share: i64,
    pub(crate) delay: i64,
    pub(crate) term: i64,
}

/// Partners pay for points on top of what the first program gives: a share of the price in hundredths of a percent, and so many
/// for each line that costs something. In the order of their keys.
pub(crate) static PARTNERS: [(&str, i64, i64); 2] = [("bank", 0, 7), ("roaster", 150, 0)];

#[derive(Clone, Debug)]
struct Lot {
    who: usize,
    program: usize,
    left: i64,
    begun: i64,
    from: Time,
    until: Time,
    is_active: bool,
    /// What expired of it, and of what carries it on.
    lapsed: i64,
    /// What expired of it alone, and did not come back for a late sale.
    over: i64,
    /// The lot in which these points of this customer began.
    root: usize,
}

/// Something taken from a lot that may go back.
#[derive(Clone, Debug)]
struct Taking {
    lot: usize,
    points: i64,
}

#[derive(Clone, Debug)]
struct Earned {
    lot: usize,
    points: i64,
    taken: i64,
    forgiven: i64,
    takings: Vec<Taking>,
    /// Of the points: what each partner pays.
    funded: Vec<i64>,
}

#[derive(Clone, Debug, Default)]
struct Payment {
    points: i64,
    given: i64,
    takings: Vec<Taking>,
}

#[derive(Clone, Debug)]
struct Line {
    quantity: i64,
    returned: i64,
    amount: i64,
    earned: BTreeMap<usize, Earned>,
    paid: BTreeMap<usize, Payment>,
}

#[derive(Clone, Debug)]
struct Sale {
    who: usize,
    is_void: bool,
    lines: Vec<Line>,
}

#[derive(Clone, Debug)]
struct Back {
    sale: usize,
    line: usize,
    quantity: i64,
    is_void: bool,
    /// Where it put what had paid: in which program, into which lot, how many points.
    came: BTreeMap<(usize, usize), i64>,
}

#[derive(Clone, Debug)]
struct Hold {
    who: usize,
    program: usize,
    points: i64,
    since: Time,
    until: Time,
    is_open: bool,
    /// It paid, or was let go.
    is_done: bool,
}

#[derive(Clone, Debug)]
struct Gift {
    from: usize,
    to: usize,
    program: usize,
    at: Time,
    is_open: bool,
    takings: Vec<Taking>,
    /// The lots in which it arrived.
    arrived: Vec<usize>,
    /// It has come back.
    is_back: bool,
}

/// Why nothing is captured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// So many are missing.
    Missing(i64),
    /// The sale can take no more than this.
    TooMuch(i64),
}

/// Everything, at a moment.
pub(crate) struct Model {
    pub(crate) now: Time,
    terms: Vec<Terms>,
    floor: i64,
    refund: Duration,
    /// What each customer owes in each program.
    debts: BTreeMap<(usize, usize), i64>,
    /// What lots have paid of that, and nobody gave back.
    payers: BTreeMap<(usize, usize), Vec<Taking>>,
    lots: Vec<Lot>,
    sales: Vec<Sale>,
    backs: Vec<Back>,
    holds: Vec<Hold>,
    gifts: Vec<Gift>,
}

/// Of one customer in one program: active, pending, reserved, and what is left in lots with their ends.
pub(crate) type View = (i64, i64, i64, Vec<(i64, Time)>);

impl Model {
    pub(crate) fn new(now: Time, terms: Vec<Terms>, floor: i64, refund: Duration) -> Self {
        Self {
            now,
            terms,
            floor,
            refund,
            debts: BTreeMap::new(),
            payers: BTreeMap::new(),
            lots: Vec::new(),
            sales: Vec::new(),
            backs: Vec::new(),
            holds: Vec::new(),
            gifts: Vec::new(),
        }
    }

    fn debt(&mut self, who: usize, program: usize) -> &mut i64 {
        self.debts.entry((who, program)).or_default()
    }

    fn reserved(&self, who: usize, program: usize) -> i64 {
        let mine = self
            .holds
            .iter()
            .filter(|h| h.is_open && (h.who, h.program) == (who, program));
        mine.map(|h| h.points).sum()
    }

    fn active(&self, who: usize, program: usize) -> i64 {
        let mine = self
            .lots
            .iter()
            .filter(|l| l.is_active && (l.who, l.program) == (who, program));
        mine.map(|l| l.left).sum::<i64>() - self.debts.get(&(who, program)).copied().unwrap_or_default()
    }

    pub(crate) fn view(&self, who: usize, program: usize) -> View {
        let mine = self
            .lots
            .iter()
            .filter(|l| (l.who, l.program) == (who, program) && l.left > 0);
        let mut lots: Vec<(i64, Time)> = mine.clone().map(|l| (l.left, l.until)).collect();
        lots.sort_by_key(|(left, until)| (*until, *left));
        (
            self.active(who, program),
            mine.filter(|l| !l.is_active).map(|l| l.left).sum(),
            self.reserved(who, program),
            lots,
        )
    }

    /// What can be spent.
    pub(crate) fn free(&self, who: usize, program: usize) -> i64 {
        self.active(who, program) - self.reserved(who, program)
    }

    /// Active lots in the order in which they are spent.
    fn queue(&self, who: usize, program: usize) -> Vec<usize> {
        let mut queue: Vec<usize> = (0..self.lots.len())
            .filter(|n| self.lots[*n].is_active && (self.lots[*n].who, self.lots[*n].program) == (who, program))
            .collect();
        queue.sort_by_key(|n| (self.lots[*n].until, *n));
        queue
    }

    /// Those of them that were not over at a moment.
    fn queue_since(&self, who: usize, program: usize, since: Time) -> Vec<usize> {
        let mut queue = self.queue(who, program);
        queue.retain(|n| self.lots[*n].until > since);
        queue
    }

    fn left_in(&self, lots: &[usize]) -> i64 {
        lots.iter().map(|n| self.lots[*n].left).sum()
    }

    /// Takes points from the lots that end first, but not the first `but` of them.
    fn draw(&mut self, who: usize, program: usize, points: i64, but: i64) -> Vec<Taking> {
        let queue = self.queue(who, program);
        self.draw_from(queue, points, but)
    }

    fn draw_from(&mut self, queue: Vec<usize>, mut points: i64, mut but: i64) -> Vec<Taking> {
        let mut takings = Vec::new();
        for lot in queue {
            let kept = self.lots[lot].left.min(but);
            but -= kept;
            let part = (self.lots[lot].left - kept).min(points);
            if part > 0 {
                self.lots[lot].left -= part;
                points -= part;
                takings.push(Taking { lot, points: part });
            }
        }
        takings
    }

    /// Points of a lot have become spendable: debts come first.
    fn pay_debt(&mut self, lot: usize, points: i64) {
        let (who, program) = (self.lots[lot].who, self.lots[lot].program);
        let pays = points.min(*self.debt(who, program));
        *self.debt(who, program) -= pays;
        self.lots[lot].left -= pays;
        if pays > 0 {
            let payers = self.payers.entry((who, program)).or_default();
            payers.push(Taking { lot, points: pays });
        }
    }

    /// A debt was none: what is still owed of it is not, and what paid the rest last has it again.
    fn lift(&mut self, who: usize, program: usize, debt: i64) {
        let unpaid = debt.min(*self.debt(who, program));
        *self.debt(who, program) -= unpaid;
        let mut payers = self.payers.remove(&(who, program)).unwrap_or_default();
        self.restore(&mut payers, debt - unpaid, self.now, self.now);
        payers.retain(|taking| taking.points > 0);
        self.payers.insert((who, program), payers);
    }

    fn new_lot(
        &mut self,
        who: usize,
        program: usize,
        points: i64,
        from: Time,
        until: Time,
        root: Option<usize>,
    ) -> usize {
        let n = self.lots.len();
        self.lots.push(Lot {
            who,
            program,
            left: points,
            begun: points,
            from,
            until,
            is_active: from <= self.now,
            lapsed: 0,
            over: 0,
            root: root.unwrap_or(n),
        });
        n
    }

    /// Gives up to `points` back to where they were taken from, the last first: at a moment, to last until another one at least.
    /// Tells into which lots.
    fn restore(&mut self, takings: &mut [Taking], mut points: i64, at: Time, until: Time) -> Vec<(usize, i64)> {
        let mut came = Vec::new();
        for taking in takings.iter_mut().rev() {
            let part = taking.points.min(points);
            if part == 0 {
                continue;
            }
            taking.points -= part;
            points -= part;
            let own = self.lots[taking.lot].clone();
            if !own.is_active || own.until >= until && own.until > self.now {
                self.lots[taking.lot].left += part;
                came.push((taking.lot, part));
            } else {
                let lot = self.new_lot(own.who, own.program, part, at, own.until.max(until), Some(own.root));
                came.push((lot, part));
            }
        }
        for (lot, part) in &came {
            if self.lots[*lot].is_active {
                self.pay_debt(*lot, *part);
            }
        }
        came
    }

    /// Ends what is over and was not promised to anybody before.
    fn expire(&mut self) {
        let accounts: Vec<(usize, usize)> = self.lots.iter().map(|l| (l.who, l.program)).collect();
        for (who, program) in accounts {
            let mut all_kept = 0;
            for lot in self.queue(who, program) {
                let until = self.lots[lot].until;
                if until > self.now {
                    break;
                }
                let holds = self.holds.iter().filter(|h| h.is_open && h.since < until);
                let mine = holds.filter(|h| (h.who, h.program) == (who, program));
                let promised = mine.map(|h| h.points).sum::<i64>() - all_kept;
                let kept = self.lots[lot].left.min(promised.max(0));
                all_kept += kept;
                let over = self.lots[lot].left - kept;
                self.lots[lot].left = kept;
                self.lots[lot].over += over;
                let root = self.lots[lot].root;
                self.lots[root].lapsed += over;
            }
        }
    }

    /// Lets time go by until `to`, and everything happen in its turn.
    pub(crate) fn advance(&mut self, to: Time) {
        loop {
            let ends = self.holds.iter().filter(|h| h.is_open).map(|h| h.until);
            let starts = self.lots.iter().filter(|l| !l.is_active).map(|l| l.from);
            let arrivals = self.gifts.iter().filter(|g| g.is_open).map(|g| g.at);
            let overs = self.lots.iter().filter(|l| l.until > self.now).map(|l| l.until);
            let next = ends.chain(starts).chain(arrivals).chain(overs).min();
            let Some(next) = next.filter(|next| *next <= to) else {
                break;
            };
            self.now = next.max(self.now);
            for hold in &mut self.holds {
                hold.is_open &= hold.until > self.now;
            }
            for lot in 0..self.lots.len() {
                if !self.lots[lot].is_active && self.lots[lot].from <= self.now {
                    self.lots[lot].is_active = true;
                    self.pay_debt(lot, self.lots[lot].left);
                }
            }
            for n in 0..self.gifts.len() {
                if self.gifts[n].is_open && self.gifts[n].at <= self.now {
                    self.arrive(n);
                }
            }
            self.expire();
        }
        self.now = to;
    }

    fn arrive(&mut self, n: usize) {
        let gift = self.gifts[n].clone();
        self.gifts[n].is_open = false;
        let mut came = Vec::new();
        for taking in &gift.takings {
            let until = self.lots[taking.lot].until.max(gift.at);
            let lot = self.new_lot(gift.to, gift.program, taking.points, gift.at, until, None);
            came.push((lot, taking.points));
        }
        self.gifts[n].arrived = came.iter().map(|(lot, _)| *lot).collect();
        for (lot, points) in came {
            self.pay_debt(lot, points);
        }
    }

    /// Something is bought at a moment that may be over by now: quantity and price line by line.
    pub(crate) fn sell(&mut self, who: usize, lines: &[(i64, i64)], at: Time) -> usize {
        self.sell_at(who, lines, at, 0)
    }

    /// The same, paid with points in part.
    fn sell_at(&mut self, who: usize, lines: &[(i64, i64)], at: Time, by_points: i64) -> usize {
        let mut sale = Sale {
            who,
            is_void: false,
            lines: lines
                .iter()
                .map(|(quantity, price)| Line {
                    quantity: *quantity,
                    returned: 0,
                    amount: quantity * price,
                    earned: BTreeMap::new(),
                    paid: BTreeMap::new(),
                })
                .collect(),
        };
        let amounts: Vec<i64> = sale.lines.iter().map(|line| line.amount).collect();
        let by_points = Self::spread(by_points, &amounts);
        let money: Vec<i64> = amounts
            .iter()
            .zip(by_points)
            .map(|(amount, part)| amount - part)
            .collect();
        for program in 0..self.terms.len() {
            let terms = self.terms[program];
            let partners = if program == 0 { &PARTNERS[..] } else { &[] };
            let funded: Vec<Vec<i64>> = money
                .iter()
                .map(|money| {
                    let costing = i64::from(*money > 0);
                    let pays = partners
                        .iter()
                        .map(|(_, share, once)| money * share / 10_000 + once * costing);
                    pays.collect()
                })
                .collect();
            let points: Vec<i64> = money
                .iter()
                .zip(&funded)
                .map(|(money, funded)| money * terms.share / 10_000 + funded.iter().sum::<i64>())
                .collect();
            let whole: i64 = points.iter().sum();
            if whole == 0 {
                continue;
            }
            let from = at + Duration::days(terms.delay);
            let lot = self.new_lot(who, program, whole, from, from + Duration::days(terms.term), None);
            if self.lots[lot].is_active {
                self.pay_debt(lot, whole);
            }
            for ((line, points), funded) in sale.lines.iter_mut().zip(points).zip(funded) {
                if points > 0 {
                    let earned = Earned {
                        lot,
                        points,
                        taken: 0,
                        forgiven: 0,
                        takings: Vec::new(),
                        funded,
                    };
                    line.earned.insert(program, earned);
                }
            }
        }
        self.sales.push(sale);
        self.sales.len() - 1
    }

    /// What each partner has paid for and the shop last, less what went back to them.
    pub(crate) fn paid_for(&self) -> Vec<i64> {
        let mut all = vec![0; PARTNERS.len() + 1];
        let earned = self
            .sales
            .iter()
            .flat_map(|sale| &sale.lines)
            .flat_map(|line| line.earned.values());
        for one in earned {
            // Whoever is asked first gives their share of what is left to be given back, down to a hundredth.
            let (mut points, mut back) = (one.points, one.taken);
            for (n, part) in one.funded.iter().enumerate() {
                let theirs = if points > 0 { back * part / points } else { 0 };
                all[n] += part - theirs;
                points -= part;
                back -= theirs;
            }
            all[PARTNERS.len()] += points - back;
        }
        all
    }

    /// A share of something for the pieces that came back.
    fn part(points: i64, quantity: i64, returned: i64) -> i64 {
        if returned == quantity {
            points
        } else {
            points * returned / quantity
        }
    }

    fn is_back(&self, sale: usize, line: usize) -> (i64, i64) {
        let it = &self.sales[sale].lines[line];
        let back = if self.sales[sale].is_void {
            it.quantity
        } else {
            it.returned
        };
        (it.quantity, back)
    }

    /// Tells in which program how many points went into which lot.
    fn refund(&mut self, sale: usize, lines: &[usize], at: Time) -> BTreeMap<(usize, usize), i64> {
        let until = at + self.refund;
        let mut came = BTreeMap::new();
        for program in 0..self.terms.len() {
            let mut due = Vec::new();
            for line in lines {
                let (quantity, back) = self.is_back(sale, *line);
                let Some(payment) = self.sales[sale].lines[*line].paid.get_mut(&program) else {
                    continue;
                };
                let points = Self::part(payment.points, quantity, back) - payment.given;
                if points > 0 {
                    payment.given += points;
                    due.push((*line, points));
                }
            }
            for (line, points) in due {
                let Some(payment) = self.sales[sale].lines[line].paid.get(&program) else {
                    continue;
                };
                let mut takings = payment.takings.clone();
                for (lot, part) in self.restore(&mut takings, points, at, until) {
                    *came.entry((program, lot)).or_default() += part;
                }
                if let Some(payment) = self.sales[sale].lines[line].paid.get_mut(&program) {
                    payment.takings = takings;
                }
            }
        }
        came
    }

    fn take_back(&mut self, sale: usize, lines: &[usize]) {
        let who = self.sales[sale].who;
        for program in 0..self.terms.len() {
            for line in lines {
                let (quantity, back) = self.is_back(sale, *line);
                let Some(mut earned) = self.sales[sale].lines[*line].earned.get(&program).cloned() else {
                    continue;
                };
                let taken_of_lot: i64 = self.sales[sale]
                    .lines
                    .iter()
                    .filter_map(|l| l.earned.get(&program))
                    .map(|e| e.taken)
                    .sum();
                let lot = self.lots[earned.lot].clone();
                let owed = Self::part(earned.points, quantity, back) - earned.taken - earned.forgiven;
                let owed = owed.min(lot.begun - lot.lapsed - taken_of_lot).max(0);
                let own = owed.min(lot.left);
                if own > 0 {
                    self.lots[earned.lot].left -= own;
                    earned.takings.push(Taking {
                        lot: earned.lot,
                        points: own,
                    });
                }
                let lent = self.draw(who, program, owed - own, 0);
                let lent_points: i64 = lent.iter().map(|t| t.points).sum();
                earned.takings.extend(lent);
                let may_owe = (self.active(who, program) + self.floor).max(0);
                let debt = (owed - own - lent_points).min(may_owe);
                *self.debt(who, program) += debt;
                earned.taken += own + lent_points + debt;
                earned.forgiven += owed - own - lent_points - debt;
                self.sales[sale].lines[*line].earned.insert(program, earned);
            }
        }
    }

    /// Whether nothing of a customer's began, ended or arrived after a moment: what is told late of that moment finds everything as
    /// it was then.
    pub(crate) fn is_quiet_since(&self, who: usize, at: Time) -> bool {
        let is_since = |moment: Time| at < moment && moment <= self.now;
        let mut lots = self.lots.iter().filter(|l| l.who == who);
        let mut holds = self.holds.iter().filter(|h| h.who == who);
        let mut gifts = self.gifts.iter().filter(|g| g.to == who);
        !lots.any(|l| is_since(l.from) || is_since(l.until))
            && !holds.any(|h| is_since(h.until))
            && !gifts.any(|g| is_since(g.at))
    }

    /// Pieces of a line come back at a moment; false where so many are not there.
    pub(crate) fn bring_back(&mut self, sale: usize, line: usize, quantity: i64, at: Time) -> bool {
        let (bought, back) = self.is_back(sale, line);
        if bought - back < quantity {
            return false;
        }
        self.sales[sale].lines[line].returned += quantity;
        let came = self.refund(sale, &[line], at);
        self.backs.push(Back {
            sale,
            line,
            quantity,
            is_void: false,
            came,
        });
        self.take_back(sale, &[line]);
        true
    }

    /// A sale is voided; false where something of it came back. Nothing happens the second time.
    pub(crate) fn void_sale(&mut self, sale: usize) -> bool {
        if self.sales[sale].is_void {
            return true;
        }
        if self.sales[sale].lines.iter().any(|line| line.returned > 0) {
            return false;
        }
        self.sales[sale].is_void = true;
        let lines: Vec<usize> = (0..self.sales[sale].lines.len()).collect();
        self.refund(sale, &lines, self.now);
        self.take_back(sale, &lines);
        true
    }

    /// A return is voided; how many points are missing where there are not enough of them to pay again.
    pub(crate) fn void_return(&mut self, n: usize) -> Result<(), i64> {
        let back = self.backs[n].clone();
        if back.is_void {
            return Ok(());
        }
        let who = self.sales[back.sale].who;
        let kept = (
            self.debts.clone(),
            self.payers.clone(),
            self.lots.clone(),
            self.sales.clone(),
        );
        self.sales[back.sale].lines[back.line].returned -= back.quantity;
        let (quantity, returned) = self.is_back(back.sale, back.line);
        for program in 0..self.terms.len() {
            let Some(mut earned) = self.sales[back.sale].lines[back.line].earned.get(&program).cloned() else {
                continue;
            };
            let surplus = (earned.taken + earned.forgiven - Self::part(earned.points, quantity, returned)).max(0);
            let forgiven = surplus.min(earned.forgiven);
            let again = (surplus - forgiven).min(earned.taken);
            let in_lots: i64 = earned.takings.iter().map(|t| t.points).sum();
            let debt = again.min(earned.taken - in_lots);
            self.lift(who, program, debt);
            self.restore(&mut earned.takings, again - debt, self.now, self.now);
            earned.taken -= again;
            earned.forgiven -= forgiven;
            self.sales[back.sale].lines[back.line].earned.insert(program, earned);
        }
        for program in 0..self.terms.len() {
            self.expire();
            let Some(payment) = self.sales[back.sale].lines[back.line].paid.get(&program).cloned() else {
                continue;
            };
            let again = (payment.given - Self::part(payment.points, quantity, returned)).max(0);
            let mut free = self.free(who, program).max(0);
            // What the return gave back comes first: what of it has expired since, then what is left of it.
            let mut came: Vec<(usize, i64)> = back
                .came
                .iter()
                .map(|((p, lot), part)| (*p, *lot, *part))
                .filter(|(p, ..)| *p == program)
                .map(|(_, lot, part)| (lot, part))
                .collect();
            came.sort_by_key(|(lot, _)| (self.lots[*lot].until, *lot));
            let (mut drawn, mut wanted) = (Vec::new(), again);
            for (lot, part) in came {
                let most = part.min(wanted);
                let over = self.lots[lot].over.min(most);
                let left = self.lots[lot].left.min(most - over);
                let root = self.lots[lot].root;
                self.lots[lot].over -= over;
                self.lots[root].lapsed -= over;
                self.lots[lot].left -= left;
                free += over;
                wanted -= over + left;
                drawn.extend([over, left].map(|points| Taking { lot, points }));
            }
            if free < again {
                (self.debts, self.payers, self.lots, self.sales) = kept;
                return Err(again - free);
            }
            drawn.extend(self.draw(who, program, wanted, self.reserved(who, program)));
            if let Some(payment) = self.sales[back.sale].lines[back.line].paid.get_mut(&program) {
                payment.given -= again;
                payment.takings.extend(drawn);
            }
        }
        self.backs[n].is_void = true;
        Ok(())
    }

    /// Points are promised; how many are missing where there are not enough.
    pub(crate) fn reserve(&mut self, who: usize, program: usize, points: i64, term: Duration) -> Result<usize, i64> {
        let free = self.free(who, program);
        if free < points {
            return Err(points - free.max(0));
        }
        self.holds.push(Hold {
            who,
            program,
            points,
            since: self.now,
            until: self.now + term,
            is_open: true,
            is_done: false,
        });
        Ok(self.holds.len() - 1)
    }

    pub(crate) fn is_held(&self, hold: usize) -> bool {
        self.holds[hold].is_open
    }

    pub(crate) fn held_points(&self, hold: usize) -> i64 {
        self.holds[hold].points
    }

    pub(crate) fn release(&mut self, hold: usize) {
        self.holds[hold].is_open = false;
        self.holds[hold].is_done = true;
        self.expire();
    }

    /// How much of a sale can be paid with points, line by line.
    fn payable(&self, sale: usize) -> Vec<(usize, i64)> {
        let lines = self.sales[sale].lines.iter().enumerate();
        lines
            .filter(|(_, line)| line.returned == 0 && line.amount > 0)
            .map(|(n, line)| (n, line.amount - line.paid.values().map(|p| p.points).sum::<i64>()))
            .collect()
    }

    /// Whether a sale is there to be paid by somebody.
    pub(crate) fn is_payable(&self, sale: usize, who: usize) -> bool {
        self.sales[sale].who == who && !self.sales[sale].is_void
    }

    fn most(&self, sale: usize) -> i64 {
        self.payable(sale).iter().map(|(_, amount)| amount).sum()
    }

    /// What was promised is spent, unless a return took it or the sale costs less.
    pub(crate) fn capture(&mut self, hold: usize, points: i64, sale: Option<usize>) -> Result<(), Refusal> {
        let Hold {
            who, program, since, ..
        } = self.holds[hold];
        let queue = self.queue_since(who, program, since);
        let there = self.left_in(&queue);
        if there < points {
            return Err(Refusal::Missing(points - there));
        }
        if let Some(most) = sale.map(|sale| self.most(sale)).filter(|most| *most < points) {
            return Err(Refusal::TooMuch(most));
        }
        let lots = self.draw_from(queue, points, 0);
        if let Some(sale) = sale {
            self.pay(sale, program, points, lots);
        }
        self.release(hold);
        Ok(())
    }

    /// Points over lines by the largest remainder: whole parts first, then one each to the largest rests.
    fn spread(points: i64, shares: &[i64]) -> Vec<i64> {
        let whole = shares.iter().sum::<i64>().max(1);
        let mut parts: Vec<i64> = shares.iter().map(|share| points * share / whole).collect();
        let mut over = points - parts.iter().sum::<i64>();
        let mut order: Vec<usize> = (0..shares.len()).collect();
        order.sort_by_key(|n| (-(points * shares[*n] % whole), *n));
        for n in order {
            if over > 0 {
                parts[n] += 1;
                over -= 1;
            }
        }
        parts
    }

    /// Points out of lots pay for a sale.
    fn pay(&mut self, sale: usize, program: usize, points: i64, lots: Vec<Taking>) {
        let mut lots = std::collections::VecDeque::from(lots);
        let payable = self.payable(sale);
        let shares: Vec<i64> = payable.iter().map(|(_, amount)| *amount).collect();
        for ((line, _), mut part) in payable.into_iter().zip(Self::spread(points, &shares)) {
            if part == 0 {
                continue;
            }
            let payment = self.sales[sale].lines[line].paid.entry(program).or_default();
            payment.points += part;
            while part > 0 {
                let Some(mut first) = lots.pop_front() else { break };
                let now = first.points.min(part);
                part -= now;
                payment.takings.push(Taking {
                    lot: first.lot,
                    points: now,
                });
                first.points -= now;
                if first.points > 0 {
                    lots.push_front(first);
                }
            }
        }
    }

    /// Whether a sale of some while ago may be paid by what was promised: before the sale, and is neither spent nor let go.
    pub(crate) fn takes_late(&self, hold: usize, at: Time) -> bool {
        let hold = &self.holds[hold];
        (hold.is_open || !hold.is_done) && hold.since - Self::clocks() <= at
    }

    fn clocks() -> Duration {
        Duration::minutes(10)
    }

    /// Something was sold a while ago, and was to be paid by what was promised: how many of the points are there for it. What has
    /// expired since then is, and goes first; as long as the promise holds it has lost nothing, and only makes up for what is missing.
    pub(crate) fn sell_late(&mut self, hold: usize, lines: &[(i64, i64)], at: Time, points: i64) -> i64 {
        let Hold {
            who,
            program,
            since: made,
            until,
            is_open,
            ..
        } = self.holds[hold];
        let sale = self.sell_at(who, lines, at, points);
        let held_then = made - Self::clocks() <= at && at < until + Self::clocks();
        let since = if held_then { made } else { at };
        let (queue, others) = if is_open {
            (self.queue_since(who, program, since), 0)
        } else {
            (self.queue(who, program), self.reserved(who, program))
        };
        let left = self.left_in(&queue);
        let mut wanted = if is_open { points - left.min(points) } else { points };
        let mut over: Vec<usize> = (0..self.lots.len())
            .filter(|n| (self.lots[*n].who, self.lots[*n].program) == (who, program))
            .filter(|n| self.lots[*n].until > since && self.lots[*n].from <= at.max(since))
            .collect();
        over.sort_by_key(|n| (self.lots[*n].until, *n));
        let mut takings = Vec::new();
        for lot in over {
            let part = self.lots[lot].over.min(wanted);
            if part > 0 {
                wanted -= part;
                self.lots[lot].over -= part;
                let root = self.lots[lot].root;
                self.lots[root].lapsed -= part;
                takings.push(Taking { lot, points: part });
            }
        }
        let back: i64 = takings.iter().map(|taking| taking.points).sum();
        let there = back + (points - back).min((left - others).max(0));
        takings.extend(self.draw_from(queue, there - back, others));
        self.pay(sale, program, there, takings);
        self.release(hold);
        there
    }

    /// Staff give points, to be spent at once, which last as long as those of a purchase of today once its wait is over.
    pub(crate) fn grant(&mut self, who: usize, program: usize, points: i64) {
        let until = self.now + Duration::days(self.terms[program].term);
        let lot = self.new_lot(who, program, points, self.now, until, None);
        self.pay_debt(lot, points);
    }

    /// Staff take points; how many are missing where there are not enough.
    pub(crate) fn withdraw(&mut self, who: usize, program: usize, points: i64) -> Result<(), i64> {
        let free = self.free(who, program);
        if free < points {
            return Err(points - free.max(0));
        }
        self.draw(who, program, points, self.reserved(who, program));
        Ok(())
    }

    /// Points are sent; how many are missing where there are not enough.
    pub(crate) fn send(
        &mut self,
        from: usize,
        to: usize,
        program: usize,
        points: i64,
        wait: Duration,
    ) -> Result<usize, i64> {
        let free = self.free(from, program);
        if free < points {
            return Err(points - free.max(0));
        }
        let takings = self.draw(from, program, points, self.reserved(from, program));
        self.gifts.push(Gift {
            from,
            to,
            program,
            at: self.now + wait,
            is_open: true,
            takings,
            arrived: Vec::new(),
            is_back: false,
        });
        Ok(self.gifts.len() - 1)
    }

    /// Points on their way are called back; false where it is too late.
    pub(crate) fn call_back(&mut self, n: usize) -> bool {
        if !self.gifts[n].is_open {
            return false;
        }
        self.gifts[n].is_open = false;
        self.gifts[n].is_back = true;
        let mut takings = self.gifts[n].takings.clone();
        let points = takings.iter().map(|t| t.points).sum();
        self.restore(&mut takings, points, self.now, self.now);
        self.expire();
        true
    }

    /// Staff bring points back, whether they have arrived or not; false where they came back before. Whoever got them loses what is
    /// left of them, then what of them is over, then other points, promised or not, and owes the rest.
    pub(crate) fn reverse(&mut self, n: usize) -> bool {
        let gift = self.gifts[n].clone();
        if gift.is_back {
            return false;
        }
        self.gifts[n].is_open = false;
        self.gifts[n].is_back = true;
        let points: i64 = gift.takings.iter().map(|t| t.points).sum();
        // Nothing has arrived where there are no such lots.
        if !gift.arrived.is_empty() {
            let mut missing = points;
            for lot in &gift.arrived {
                missing -= self.lots[*lot].left;
                self.lots[*lot].left = 0;
            }
            let mut over = gift.arrived;
            over.sort_by_key(|n| (self.lots[*n].until, *n));
            for lot in over {
                let part = self.lots[lot].over.min(missing);
                missing -= part;
                self.lots[lot].over -= part;
                let root = self.lots[lot].root;
                self.lots[root].lapsed -= part;
            }
            let others = self.draw(gift.to, gift.program, missing, 0);
            missing -= others.iter().map(|t| t.points).sum::<i64>();
            *self.debt(gift.to, gift.program) += missing;
        }
        let mut takings = gift.takings;
        self.restore(&mut takings, points, self.now, self.now + self.refund);
        self.expire();
        true
    }

    pub(crate) fn sender(&self, n: usize) -> usize {
        self.gifts[n].from
    }

    pub(crate) fn sales(&self) -> usize {
        self.sales.len()
    }

    pub(crate) fn lines(&self, sale: usize) -> usize {
        self.sales[sale].lines.len()
    }

    pub(crate) fn owner(&self, sale: usize) -> usize {
        self.sales[sale].who
    }

    pub(crate) fn backs(&self) -> usize {
        self.backs.len()
    }

    pub(crate) fn holds(&self) -> usize {
        self.holds.len()
    }

    pub(crate) fn gifts(&self) -> usize {
        self.gifts.len()
    }

    pub(crate) fn hold_owner(&self, hold: usize) -> usize {
        self.holds[hold].who
    }
}
