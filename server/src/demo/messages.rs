//! A few messages that went before, two of which did not: what the admin section has to show.

use crm::db::{Db, scoped};
use crm::lang::Lang;
use crm::outbox::{self, Channel, To, delivery};
use crm::who::System;

/// Writes the messages, unless there are any.
pub(super) async fn write(db: &Db, by: &System) -> Result<(), crm::Error> {
    if !outbox::inbox(db, 1).await?.is_empty() {
        return Ok(());
    }
    for (address, name, request) in [("lev@example.com", "Лев", "3"), ("zoya@example.com", "Зоя", "8")] {
        answered(db, address, name, request).await?;
    }
    let hold = chrono::Duration::minutes(1);
    for message in delivery::claim(db, by, Channel::Email, "demonstration", hold, 10).await? {
        let words = "permanent error (550): 5.1.1 no such mailbox here";
        delivery::not_sent(db, by, &message, true, words).await?;
    }
    for (address, name, request) in [("vera@example.com", "Вера", "14"), ("gleb@example.com", "Глеб", "21")] {
        answered(db, address, name, request).await?;
    }
    outbox::deliver_to_inbox(db, by).await?;
    Ok(())
}

async fn answered(db: &Db, address: &str, name: &str, request: &str) -> Result<(), crm::Error> {
    db.write(|tx| {
        scoped(async move {
            let to = To {
                channel: Channel::Email,
                address,
                customer: None,
            };
            let shop = tx.shop().name.clone();
            let values = [("name", name), ("number", request), ("shop", &shop)];
            outbox::send(tx, to, "request_answered", Lang::Ru, &values)
                .await
                .map(drop)
        })
    })
    .await
}
