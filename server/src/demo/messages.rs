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
    for (address, name) in [("lev@example.com", "Лев"), ("zoya@example.com", "Зоя")] {
        answered(db, address, name).await?;
    }
    let hold = chrono::Duration::minutes(1);
    for message in delivery::claim(db, by, Channel::Email, "demonstration", hold, 10).await? {
        let words = "permanent error (550): 5.1.1 no such mailbox here";
        delivery::not_sent(db, by, &message, true, words).await?;
    }
    for (address, name) in [("vera@example.com", "Вера"), ("gleb@example.com", "Глеб")] {
        answered(db, address, name).await?;
    }
    outbox::deliver_to_inbox(db, by).await?;
    Ok(())
}

async fn answered(db: &Db, address: &str, name: &str) -> Result<(), crm::Error> {
    db.write(|tx| {
        scoped(async move {
            let to = To {
                channel: Channel::Email,
                address,
                customer: None,
            };
            let shop = tx.shop().name.clone();
            let values = [("name", name), ("number", "1"), ("shop", &shop)];
            outbox::send(tx, to, "request_answered", Lang::Ru, &values)
                .await
                .map(drop)
        })
    })
    .await
}
