//! A file of purchases in each of the three formats: every line is taken or refused with words, none stops the import.
#![no_main]

use crm::purchase::import::{Format, read_text};
use libfuzzer_sys::fuzz_target;

const HEADERS: [&str; 3] = [
    "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID",
    "customer_id date number_of_cds dollar_value",
    "document,at,article,quantity,price,customer,name,discount,store,original,channel,payment",
];

fuzz_target!(|data: &[u8]| {
    let Some((choice, text)) = data.split_first() else {
        return;
    };
    let text = String::from_utf8_lossy(text);
    let format = Format::ALL[usize::from(*choice) % 3];
    // As it is, header and all; and below a good header, so that the lines are reached.
    read_text(format, &text);
    let below = format!("{}\n{text}", HEADERS[usize::from(*choice) % 3]);
    let (taken, refused) = read_text(format, &below);
    assert_eq!(taken + refused, text.lines().count());
});
