//! Bodies of the API, as tills and other systems send them. Each is read as whatever the API takes, or refused in words of
//! the API; what is read is looked at as far as that goes without the database.
#![no_main]

use crm::card;
use crm::contact::Phone;
use crm::purchase::amount;
use crm::stores::Hours;
use crm::till::counter::Shown;
use crm::till::receipt::{Basket, NewReceipt};
use libfuzzer_sys::fuzz_target;
use server::api::problem::Problem;
use server::api::{read_body, shapes};

/// What was read; what was not is refused with a status and with pointers into what was sent.
fn read<T>(result: Result<T, Problem>) -> Option<T> {
    let problem = match result {
        Ok(body) => return Some(body),
        Err(problem) => problem,
    };
    let details = problem.details();
    assert!(matches!(details.status, 400 | 422), "{details:?}");
    for error in &details.errors {
        assert!(error.pointer.is_empty() || error.pointer.starts_with('/'), "{error:?}");
    }
    None
}

/// Looks a receipt over, as it is done before it is booked.
fn look(receipt: &NewReceipt) {
    let now = "2026-11-26T12:00:00Z".parse().expect("a moment");
    let faults = receipt.faults(now);
    assert!(faults.iter().all(|(pointer, _)| pointer.starts_with('/')), "{faults:?}");
    if faults.is_empty() {
        // Everything that is reckoned with later is within bounds.
        for line in &receipt.lines {
            let amount = amount(line.quantity, line.price, line.discount);
            assert!(amount.is_some_and(|amount| amount >= 0), "{line:?}");
        }
    }
}

fuzz_target!(|body: &[u8]| {
    if let Some(batch) = read(read_body::<shapes::Batch>(body)) {
        batch.purchases.into_iter().for_each(|new| look(&new.into()));
        batch.returns.into_iter().for_each(|new| look(&new.into()));
    }
    if let Some(new) = read(read_body::<shapes::NewPurchase>(body)) {
        look(&new.into());
    }
    if let Some(new) = read(read_body::<shapes::NewReturn>(body)) {
        look(&new.into());
    }
    if let Some(new) = read(read_body::<shapes::NewQuote>(body)) {
        let lines = new.lines.len();
        assert_eq!(Basket::from(new).lines.len(), lines);
    }
    if let Some(shapes::Identify::Card(shown)) = read(read_body::<shapes::Identify>(body)) {
        Shown::card(&shown);
    }
    if let Some(new) = read(read_body::<shapes::Enrol>(body)) {
        let _ = Phone::parse(&new.phone, "RU");
    }
    if let Some(cards) = read(read_body::<shapes::Cards>(body)) {
        cards.numbers.iter().for_each(|number| drop(card::number(number)));
    }
    if let Some(new) = read(read_body::<shapes::Stores>(body)) {
        for store in new.stores {
            if let Ok(hours) = Hours::try_from(store.hours) {
                assert_eq!(<[Option<[u16; 2]>; 7]>::from(hours), store.hours);
            }
        }
    }
    read(read_body::<shapes::Ask>(body));
    read(read_body::<shapes::Articles>(body));
    read(read_body::<shapes::Categories>(body));
    read(read_body::<shapes::NewReservation>(body));
    read(read_body::<shapes::Capture>(body));
    read(read_body::<shapes::Nothing>(body));
});
