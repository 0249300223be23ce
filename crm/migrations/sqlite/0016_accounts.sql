-- Accounts of a program keep no balance: whoever booked a receipt waited there for everybody who booked another one. What
-- they come to is the sum of their postings.
UPDATE accounts SET balance = 0 WHERE customer_id IS NULL;
