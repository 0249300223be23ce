//! Ids: a UUIDv7 (RFC 9562) in a type of its own, so that one kind is never taken for another.

/// Declares id types.
macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        #[cfg_attr(feature = "store", derive(sqlx::Type), sqlx(transparent))]
        #[serde(transparent)]
        pub struct $name(pub uuid::Uuid);

        impl $name {
            /// A new id; ids made later sort later.
            #[cfg(feature = "store")]
            #[expect(clippy::new_without_default, reason = "a default suggests that two of them are equal")]
            pub fn new() -> Self {
                Self(uuid::Uuid::now_v7())
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }

        impl std::str::FromStr for $name {
            type Err = uuid::Error;
            fn from_str(s: &str) -> Result<Self, Self::Err> {
                s.parse().map(Self)
            }
        }
    )+};
}

ids! {
    /// A customer.
    CustomerId,
    /// A second factor, a passkey or a recovery code.
    FactorId,
    /// A removal of a second factor by staff.
    RemovalId,
    /// A question that a passkey was asked.
    CeremonyId,
    /// An account elsewhere that lets somebody in here.
    IdentityId,
    /// A way to an outside provider and back.
    HandoffId,
    /// A phone number or e-mail address of a customer.
    ContactId,
    /// A change of the main phone number.
    NumberChangeId,
    /// A child of a customer.
    ChildId,
    /// A card.
    CardId,
    /// A loyalty program.
    ProgramId,
    /// A file that staff bring in.
    ImportId,
    /// A table that staff take away.
    ExtractId,
    /// A report that somebody saved.
    SavedReportId,
    /// A customer's time in a program.
    MembershipId,
    /// A purpose of data use that a customer can agree to.
    PurposeId,
    /// One version of a consent's text.
    ConsentTextId,
    /// One act of giving or withdrawing a consent.
    ConsentId,
    /// A partner whom data may be passed to.
    PartnerId,
    /// A shop of the chain.
    StoreId,
    /// A category of articles.
    CategoryId,
    /// An article.
    ArticleId,
    /// A receipt: a sale or a return.
    PurchaseId,
    /// A line of a receipt.
    LineId,
    /// Something that a rule gave.
    GrantId,
    /// What a rule gave on another occasion than a purchase.
    RewardId,
    /// A ledger account.
    AccountId,
    /// A ledger transaction.
    TransactionId,
    /// A ledger posting.
    PostingId,
    /// A lot of points that activate and expire together.
    LotId,
    /// What a transaction took from a lot.
    AllocationId,
    /// What went back of an allocation.
    RestorationId,
    /// Points that a till was promised.
    ReservationId,
    /// Points on their way from one customer to another.
    TransferId,
    /// A correction of points by staff.
    AdjustmentId,
    /// A correction of a receipt by staff.
    ReceiptCorrectionId,
    /// A series of coupons.
    SeriesId,
    /// A coupon.
    CouponId,
    /// A segment of customers.
    SegmentId,
    /// A promotion.
    PromotionId,
    /// A rule of discounts and points.
    RuleId,
    /// What a rule would have given.
    SimulationId,
    /// A tier of a program.
    TierId,
    /// A change of where a customer stands among a program's tiers.
    TierChangeId,
    /// A till.
    TillId,
    /// A key by which a till proves what it is.
    ApiKeyId,
    /// A record that began at a till.
    EnrolmentId,
    /// A support request.
    RequestId,
    /// A message of a request.
    MessageId,
    /// A file that goes along with a message of a request.
    AttachmentId,
    /// What a customer thinks of how a request was answered.
    RatingId,
    /// Two requests that became one.
    RequestMergeId,
    /// What a request has to do with something.
    LinkId,
    /// What a member of staff is told of.
    NoticeId,
    /// What is prepared for requests.
    MacroId,
    /// A topic of requests.
    TopicId,
    /// A queue of requests.
    QueueId,
    /// A filter of requests that somebody keeps.
    FilterId,
    /// A change of many requests at once.
    BulkId,
    /// When support works.
    CalendarId,
    /// What support promises.
    PolicyId,
    /// By when staff owe a customer something in a request.
    ClockId,
    /// What a member of staff is told of promises that run out.
    LevelNoticeId,
    /// A question that everybody reads.
    QuestionId,
    /// A text of the shop that staff edit.
    TextId,
    /// A conversation.
    ConversationId,
    /// What was said in one.
    UtteranceId,
    /// A part of the help.
    HelpCategoryId,
    /// An article of the help.
    HelpArticleId,
    /// A talk with a customer: a call, a visit.
    InteractionId,
    /// What a member of staff is to do for a customer.
    TaskId,
    /// What colleagues should know of a customer.
    NoteId,
    /// A member of staff.
    StaffId,
    /// What a member of staff looks for.
    SearchId,
    /// An attempt to sign in.
    AttemptId,
    /// A one-time code.
    CodeId,
    /// A session of a browser.
    SessionId,
    /// A browser that somebody has come in by before.
    KnownDeviceId,
    /// A sign-in, or one that was refused.
    SignInId,
    /// A message on its way out.
    OutboxId,
    /// What the cabinet tells a customer of.
    NotificationId,
    /// A receiver of events.
    WebhookId,
    /// Something that happened, of which receivers are told.
    WebhookEventId,
    /// What one receiver is told of one event.
    DeliveryId,
    /// The erasure of who a customer was.
    ErasureId,
    /// What a customer takes home of their data.
    ExportId,
    /// Two accounts that became one.
    MergeId,
    /// A look of staff at the cabinet as its customer sees it.
    ViewId,
    /// A row of the audit log.
    AuditId,
    /// Something odd that was found.
    FraudAlertId,
    /// A stop to the spending of a customer's points.
    SpendingStopId,
}
