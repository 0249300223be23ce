//! The pages, rendered on the server.
//!
//! [`ROUTES`] is the table of contents: every page with who may ask for it and the changes it offers. A page is an
//! async function that loads what it shows and makes a view; a change is a [`route::Form`], a line or two into `crm`. A few
//! addresses answer with a file to be saved, likewise.
//!
//! # How to add a page
//! 1. A file in `cabinet`, `account` or `admin`: forms above, the page below, small components under it.
//! 2. Its words in `locales/{ru,en}/<page>.json`.
//! 3. Its line in [`ROUTES`], and in [`admin::places`] if it is to stand in the staff bar.

pub mod account;
pub mod admin;
pub mod cabinet;
pub mod cx;
pub mod export;
pub mod format;
pub mod pdf;
pub mod render;
pub mod route;
pub mod texts;
pub mod ui;

use route::{FormEntry, Route, form};

/// Every page.
pub const ROUTES: &[Route] = &[
    page!("/", Customer, cabinet::home::page),
    page!(
        "/welcome",
        Customer,
        cabinet::welcome::page,
        [cabinet::welcome::FinishTour]
    ),
    page!(
        "/card",
        Customer,
        cabinet::card::page,
        [cabinet::card::BlockCard, cabinet::card::BindCard]
    ),
    page!("/card/offline", Customer, cabinet::offline::card),
    page!("/offline", Public, cabinet::offline::page),
    page!("/purchases", Customer, cabinet::purchases::page),
    page!(
        "/purchases/claim",
        Customer,
        cabinet::claim::page,
        [cabinet::claim::ClaimReceipt]
    ),
    page!("/purchases/often", Customer, cabinet::often::page),
    page!("/purchases/spending", Customer, cabinet::spending::page),
    download!("/purchases/statement.csv", Customer, cabinet::bought::csv),
    download!("/purchases/statement.pdf", Customer, cabinet::bought::pdf),
    page!(
        "/purchases/{id}",
        Customer,
        cabinet::receipt::page,
        [cabinet::receipt::TellPurpose]
    ),
    download!("/purchases/{id}/receipt.pdf", Customer, cabinet::receipt::pdf),
    page!("/purchases/{id}/why", Customer, cabinet::why::page),
    page!("/points", Customer, cabinet::points::page),
    page!("/points/expiry", Customer, cabinet::expiry::page),
    page!("/points/missing", Customer, cabinet::missing::page),
    download!("/points/statement.csv", Customer, cabinet::statement::csv),
    download!("/points/statement.pdf", Customer, cabinet::statement::pdf),
    page!(
        "/points/transfer",
        Customer,
        cabinet::transfer::page,
        [cabinet::transfer::CheckTransfer, cabinet::transfer::CancelTransfer]
    ),
    page!(
        "/points/transfer/confirm",
        Customer,
        cabinet::transfer::confirm,
        [cabinet::transfer::SendTransfer]
    ),
    page!(
        "/sign-in",
        SignedOut,
        account::sign_in::phone,
        [
            account::sign_in::Start,
            account::sign_in::StartByEmail,
            account::sign_in::Password,
            account::second::PasskeySignIn,
        ]
    ),
    page!(
        "/sign-in/second",
        SignedOut,
        account::second::page,
        [
            account::second::Second,
            account::second::SecondByPasskey,
            account::second::AskRemoval,
        ]
    ),
    page!(
        "/second-step/{secret}",
        Public,
        account::second::keep,
        [account::second::KeepSecondStep]
    ),
    page!(
        "/number-change/{secret}",
        Public,
        account::number::keep,
        [account::number::KeepNumber]
    ),
    page!(
        "/sign-in/code",
        SignedOut,
        account::sign_in::code,
        [account::sign_in::Verify, account::sign_in::Resend]
    ),
    page!(
        "/sign-in/phone",
        SignedOut,
        account::sign_in::own_phone,
        [account::sign_in::GivePhone]
    ),
    page!(
        "/sign-in/details",
        SignedOut,
        account::sign_in::details,
        [account::sign_in::Details]
    ),
    page!(
        "/sign-in/review",
        SignedOut,
        account::sign_in::review,
        [account::sign_in::Register]
    ),
    page!(
        "/admin/sign-in",
        Public,
        account::sign_in::staff,
        [account::sign_in::StaffPassword]
    ),
    page!(
        "/admin/sign-in/second",
        Public,
        account::second::staff,
        [account::second::StaffSecond, account::second::StaffSecondByPasskey]
    ),
    page!(
        "/admin/sign-in/setup",
        Public,
        account::second::setup,
        [
            account::second::SetupTotp,
            account::second::SetupPasskey,
            account::second::FinishSetup,
        ]
    ),
    page!("/admin/join/{secret}", Public, admin::staff::join, [admin::staff::Join]),
    page!("/admin/staff", Staff, admin::staff::page, [admin::staff::InviteStaff]),
    page!(
        "/admin/staff/{id}",
        Staff,
        admin::staff::one,
        [
            admin::staff::InviteAgain,
            admin::staff::ChangeStaff,
            admin::staff::SendPasswordLink,
            admin::staff::SetRole,
            admin::staff::DisableStaff,
            admin::staff::EnableStaff,
            admin::staff::HandBack,
            admin::staff::HandOver,
            admin::staff::EndStaffSession,
            admin::staff::EndStaffSessions,
            admin::staff::ResetFactors,
        ]
    ),
    page!(
        "/admin/roles",
        Staff,
        admin::roles::page,
        [
            admin::roles::AddRole,
            admin::roles::ChangeRole,
            admin::roles::RemoveRole,
        ]
    ),
    page!("/admin/audit", Staff, admin::audit::page, [admin::audit::FindRows]),
    download!("/admin/audit.csv", Staff, admin::audit::csv),
    page!(
        "/admin/security",
        Staff,
        admin::security::page,
        [
            account::factors::OfferTotp,
            account::factors::ConfirmTotp,
            account::factors::RemoveFactor,
            account::factors::MakeCodes,
            account::factors::KeepCodes,
            account::factors::AddPasskey,
            account::factors::RenamePasskey,
            admin::security::SetPassword,
            admin::security::EndSession,
            admin::security::EndOthers,
        ]
    ),
    page!(
        "/admin/confirm",
        Staff,
        admin::security::confirm,
        [account::factors::BySecond, account::factors::ByPasskey]
    ),
    page!(
        "/admin/requests",
        Staff,
        admin::requests::page,
        [
            admin::requests::FindRequests,
            admin::requests::BePresent,
            admin::bulk::BulkRequests,
            admin::bulk::UndoBulk,
            admin::kept::SaveFilter,
            admin::kept::RemoveFilter,
        ]
    ),
    page!(
        "/admin/requests/{number}",
        Staff,
        admin::request::page,
        [
            admin::request::Answer,
            admin::request::Note,
            admin::request::SetStatus,
            admin::request::Assign,
            admin::request::Unassign,
            admin::sorting::SortRequest,
            admin::request_parts::links::LinkRequest,
            admin::request_parts::links::LinkPurchase,
            admin::request_parts::links::Unlink,
            admin::request_parts::merging::MergeRequests,
            admin::request_parts::merging::PartRequests,
            admin::request_parts::merging::SplitRequest,
            admin::request_parts::prepared::UseMacro,
        ]
    ),
    download!("/admin/requests/{number}/files/{file}", Staff, admin::request::file),
    page!("/admin/inbox", Staff, admin::inbox::page),
    page!("/admin/keys", Staff, admin::keys::page, [admin::keys::SwitchKeys]),
    page!(
        "/admin/macros",
        Staff,
        admin::macros::page,
        [admin::macros::CreateMacro]
    ),
    page!(
        "/admin/macros/{id}",
        Staff,
        admin::macros::one,
        [admin::macros::ChangeMacro, admin::macros::RemoveMacro]
    ),
    page!(
        "/admin/partners",
        Staff,
        admin::partners::page,
        [admin::partners::AddPartner]
    ),
    page!(
        "/admin/partners/{id}",
        Staff,
        admin::partners::one,
        [admin::partners::ChangePartner, admin::partners::SwitchPartner]
    ),
    page!("/admin/find", Staff, admin::find::page, [admin::find::Find]),
    page!(
        "/admin/queues",
        Staff,
        admin::queues::page,
        [admin::queues::AddQueue, admin::queues::SetBeginnings]
    ),
    page!(
        "/admin/queues/{id}",
        Staff,
        admin::queues::one,
        [
            admin::queues::ChangeQueue,
            admin::queues::SetAgent,
            admin::queues::SwitchQueue,
            admin::queues::RemoveQueue,
        ]
    ),
    page!("/admin/tags", Staff, admin::tags::page, [admin::tags::RenameTag]),
    page!(
        "/admin/levels",
        Staff,
        admin::levels::page,
        [
            admin::levels::AddCalendar,
            admin::levels::ChangeCalendar,
            admin::levels::SwitchCalendar,
            admin::levels::RemoveCalendar,
            admin::levels::AddPolicy,
            admin::levels::ChangePolicy,
            admin::levels::RemovePolicy,
            admin::levels::PreviewLevels,
        ]
    ),
    page!(
        "/admin/customers",
        Staff,
        admin::customers::page,
        [admin::customers::FindCustomers, admin::customers::EnterCustomer]
    ),
    page!(
        "/admin/audience",
        Staff,
        admin::audience::page,
        [admin::audience::KeepAudience]
    ),
    page!(
        "/admin/customers/{id}",
        Staff,
        admin::customer::page,
        [
            admin::customer::EndSessions,
            admin::customer::GrantRemoval,
            admin::customer::StopNumberChange,
            admin::customer::AllowBirthday,
            admin::customer::AddNote,
            admin::customer::PinNote,
            admin::customer::RemoveNote,
            admin::tasks::AddTask,
            admin::tasks::EndTask,
            admin::tasks::AssignTask,
            admin::merge::FindOther,
            admin::merge::PartAccounts,
            admin::points::Adjust,
            admin::points::Reverse,
            admin::acts::why::TellWhy,
        ]
    ),
    page!(
        "/admin/customers/{id}/acts",
        Staff,
        admin::acts::page,
        [
            admin::acts::why::TellWhy,
            admin::acts::StopCard,
            admin::acts::IssueCard,
            admin::acts::AttachReceipt,
            admin::acts::person::CorrectPerson,
            admin::acts::person::NoteAnswers,
            admin::acts::person::DropChild,
            admin::acts::reach::EnterPhone,
            admin::acts::reach::EnterEmail,
            admin::acts::reach::ConfirmContact,
            admin::acts::reach::DropContact,
            admin::acts::BeginExport,
            admin::acts::BeginErasure,
            admin::acts::view_as::BeginView,
            admin::acts::take_down::TakeDown,
            admin::acts::write::WriteTo,
        ]
    ),
    page!(
        "/admin/customers/{id}/recovery",
        Staff,
        admin::acts::recovery::page,
        [
            admin::acts::why::TellWhy,
            admin::customer::EndSessions,
            admin::customer::GrantRemoval,
            admin::customer::StopNumberChange,
        ]
    ),
    page!(
        "/admin/view",
        Staff,
        admin::acts::view_as::page,
        [admin::acts::view_as::EndView]
    ),
    page!(
        "/admin/customers/{id}/talk",
        Staff,
        admin::talk::new,
        [admin::acts::why::TellWhy, admin::talk::AddTalk]
    ),
    page!(
        "/admin/customers/{id}/talks/{talk}",
        Staff,
        admin::talk::one,
        [
            admin::acts::why::TellWhy,
            admin::talk::ChangeTalk,
            admin::acts::take_down::TakeDown,
        ]
    ),
    page!(
        "/admin/tasks",
        Staff,
        admin::tasks::page,
        [admin::tasks::EndTask, admin::tasks::AssignTask]
    ),
    page!("/admin/fraud", Staff, admin::fraud::page),
    page!(
        "/admin/fraud/rules",
        Staff,
        admin::fraud::rules,
        [admin::fraud::SetFraudRule]
    ),
    page!(
        "/admin/fraud/{id}",
        Staff,
        admin::fraud::one,
        [
            admin::fraud::DismissAlert,
            admin::fraud::ConfirmAlert,
            admin::fraud::StopSpending,
            admin::fraud::LiftStop,
        ]
    ),
    page!(
        "/admin/approvals",
        Staff,
        admin::points::approvals,
        [
            admin::points::Approve,
            admin::points::Refuse,
            admin::acts::amend::ApproveReceipt,
            admin::acts::amend::RefuseReceipt,
        ]
    ),
    page!(
        "/admin/duplicates",
        Staff,
        admin::duplicates::page,
        [admin::duplicates::DismissPair, admin::duplicates::ProposePair]
    ),
    page!(
        "/admin/duplicates/different",
        Staff,
        admin::duplicates::different,
        [admin::duplicates::ProposePair]
    ),
    page!(
        "/admin/customers/{id}/merge/{other}",
        Staff,
        admin::merge::page,
        [admin::merge::MergeAccounts]
    ),
    page!(
        "/admin/customers/{id}/purchases/{purchase}",
        Staff,
        admin::receipt::page,
        [
            admin::acts::why::TellWhy,
            admin::receipt::NotePurpose,
            admin::acts::receipt::DetachReceipt,
            admin::acts::receipt::SetShop,
        ]
    ),
    page!(
        "/admin/customers/{id}/purchases/{purchase}/correct",
        Staff,
        admin::acts::amend::page,
        [admin::acts::why::TellWhy, admin::acts::amend::AmendReceipt]
    ),
    page!(
        "/admin/messages",
        Staff,
        admin::messages::page,
        [admin::messages::FindMessages]
    ),
    page!(
        "/admin/messages/{id}",
        Staff,
        admin::messages::one,
        [admin::messages::SendAgain]
    ),
    page!("/api/docs", Staff, admin::api::page),
    page!("/admin/rules", Staff, admin::rules::page, [admin::rules::CreateRule]),
    page!(
        "/admin/rules/{id}",
        Staff,
        admin::rules::one,
        [
            admin::rules::BeginDraft,
            admin::rules::DiscardDraft,
            admin::rules::SetBasics,
            admin::rules::SetCaps,
            admin::rules::PutCondition,
            admin::rules::TakeCondition,
            admin::rules::PutEffect,
            admin::rules::TakeEffect,
            admin::rules::SetJson,
            admin::rules::PublishRule,
            admin::rules::WithdrawRule,
            admin::rules::CallOffRule,
            admin::rules::SimulateRule,
            admin::rules::CancelSimulation,
        ]
    ),
    page!(
        "/admin/programs",
        Staff,
        admin::programs::page,
        [admin::programs::CreateProgram]
    ),
    page!(
        "/admin/programs/{code}",
        Staff,
        admin::programs::one,
        [
            admin::programs::DraftProgram,
            admin::programs::DiscardProgram,
            admin::programs::PublishProgram,
            admin::programs::WithdrawProgram,
            admin::programs::SwitchAutomatic,
            admin::programs::CloseProgram,
            admin::programs::ReopenProgram,
        ]
    ),
    page!("/admin/programs/{code}/preview", Staff, admin::programs::preview),
    page!(
        "/admin/programs/{code}/tiers",
        Staff,
        admin::tiers::page,
        [
            admin::tiers::BeginTiers,
            admin::tiers::DiscardTiers,
            admin::tiers::SetMeasure,
            admin::tiers::PutTier,
            admin::tiers::TakeTier,
            admin::tiers::PublishTiers,
            admin::tiers::WithdrawTiers,
            admin::tiers::CallOffTiers,
        ]
    ),
    page!(
        "/admin/promotions",
        Staff,
        admin::promotions::page,
        [admin::promotions::CreatePromotion]
    ),
    page!(
        "/admin/promotions/{id}",
        Staff,
        admin::promotions::one,
        [
            admin::promotions::ChangePromotion,
            admin::promotions::NotePromotion,
            admin::promotions::DiscardPromotion,
            admin::promotions::AskPromotion,
            admin::promotions::ApprovePromotion,
            admin::promotions::RefusePromotion,
            admin::promotions::EndPromotion,
            admin::promotions::ConcludePromotion,
        ]
    ),
    page!(
        "/admin/coupons",
        Staff,
        admin::coupons::page,
        [admin::coupons::AddSeries]
    ),
    page!(
        "/admin/coupons/{id}",
        Staff,
        admin::coupons::one,
        [
            admin::coupons::ChangeSeries,
            admin::coupons::SwitchSeries,
            admin::coupons::MakeCoupons,
        ]
    ),
    download!("/admin/coupons/{id}/codes.csv", Staff, admin::coupons::codes),
    page!(
        "/admin/segments",
        Staff,
        admin::segments::page,
        [admin::segments::AddSegment]
    ),
    page!(
        "/admin/segments/{id}",
        Staff,
        admin::segments::one,
        [admin::segments::PutMembers, admin::segments::RemoveSegment]
    ),
    page!(
        "/admin/stores",
        Staff,
        admin::shops::page,
        [admin::shops::FindStores, admin::shops::AddStore]
    ),
    page!(
        "/admin/stores/{id}",
        Staff,
        admin::shops::one,
        [
            admin::shops::ChangeStore,
            admin::shops::SwitchStore,
            admin::coming::PublishItem,
            admin::coming::DiscardItem,
            admin::coming::WithdrawItem,
        ]
    ),
    page!(
        "/admin/categories",
        Staff,
        admin::goods::categories,
        [admin::goods::AddCategory]
    ),
    page!(
        "/admin/categories/{id}",
        Staff,
        admin::goods::category,
        [
            admin::goods::ChangeCategory,
            admin::coming::PublishItem,
            admin::coming::DiscardItem,
            admin::coming::WithdrawItem,
        ]
    ),
    page!(
        "/admin/articles",
        Staff,
        admin::goods::articles,
        [admin::goods::FindArticles, admin::goods::AddArticle]
    ),
    page!(
        "/admin/articles/{id}",
        Staff,
        admin::goods::article,
        [
            admin::goods::ChangeArticle,
            admin::coming::PublishItem,
            admin::coming::DiscardItem,
            admin::coming::WithdrawItem,
        ]
    ),
    page!(
        "/admin/scripts",
        Staff,
        admin::scripts::page,
        [admin::scripts::AddScript]
    ),
    page!(
        "/admin/scripts/{code}",
        Staff,
        admin::scripts::one,
        [admin::scripts::ChangeScript]
    ),
    page!(
        "/admin/dialogue",
        Staff,
        admin::dialogue::page,
        [admin::dialogue::SetDialogue]
    ),
    page!(
        "/admin/questionnaire",
        Staff,
        admin::questionnaire::page,
        [admin::questionnaire::AddQuestion]
    ),
    page!(
        "/admin/questionnaire/{code}",
        Staff,
        admin::questionnaire::one,
        [admin::questionnaire::ChangeQuestion]
    ),
    page!("/admin/help", Staff, admin::help::page, [admin::help::CreateHelp]),
    page!(
        "/admin/help/{code}",
        Staff,
        admin::help::one,
        [
            admin::help::DraftHelp,
            admin::help::DiscardHelp,
            admin::help::PublishHelp,
            admin::help::CancelHelp,
            admin::help::WithdrawHelp,
        ]
    ),
    page!("/admin/help/{code}/preview", Staff, admin::help::preview),
    page!(
        "/admin/help-parts",
        Staff,
        admin::help_parts::page,
        [
            admin::help_parts::AddPart,
            admin::help_parts::ChangePart,
            admin::help_parts::SwitchPart,
            admin::help_parts::RemovePart,
        ]
    ),
    page!("/admin/questions", Staff, admin::questions::page),
    page!(
        "/admin/questions/{id}",
        Staff,
        admin::questions::one,
        [
            admin::questions::PublishQuestion,
            admin::questions::UnpublishQuestion,
            admin::questions::DeclineQuestion,
            admin::questions::MoveQuestion,
        ]
    ),
    page!("/admin/texts", Staff, admin::texts::page, [admin::texts::CreateTopic]),
    page!(
        "/admin/texts/{kind}/{code}",
        Staff,
        admin::texts::one,
        [
            admin::texts::DraftText,
            admin::texts::DiscardText,
            admin::texts::PublishText,
        ]
    ),
    page!("/admin/tills", Staff, admin::tills::page, [admin::tills::AddTill]),
    page!("/admin/tills/waiting", Staff, admin::waiting::page),
    page!(
        "/admin/tills/{id}",
        Staff,
        admin::tills::one,
        [admin::tills::AddKey, admin::tills::RevokeKey, admin::tills::SwitchTill]
    ),
    page!(
        "/admin/webhooks",
        Staff,
        admin::webhooks::page,
        [admin::webhooks::AddWebhook]
    ),
    page!(
        "/admin/webhooks/{id}",
        Staff,
        admin::webhooks::one,
        [
            admin::webhooks::ChangeWebhook,
            admin::webhooks::ExchangeSecret,
            admin::webhooks::SwitchWebhook,
            admin::webhooks::RemoveWebhook,
            admin::webhooks::TestWebhook,
            admin::webhooks::Redeliver,
            admin::webhooks::RedeliverFailed,
        ]
    ),
    page!(
        "/admin/reports",
        Staff,
        admin::reports::page,
        [admin::reports::ScheduleReport, admin::reports::RemoveReport]
    ),
    page!(
        "/admin/reports/{kind}",
        Staff,
        admin::reports::one,
        [admin::reports::SaveReport]
    ),
    download!("/admin/reports/{kind}/table.csv", Staff, admin::reports::csv),
    page!(
        "/admin/imports",
        Staff,
        admin::imports::page,
        [admin::imports::UploadFile]
    ),
    page!(
        "/admin/imports/{id}",
        Staff,
        admin::imports::one,
        [
            admin::imports::CheckFile,
            admin::imports::StartImport,
            admin::imports::GoOnImport,
            admin::imports::CancelImport,
        ]
    ),
    download!("/admin/imports/{id}/errors.csv", Staff, admin::imports::errors),
    page!(
        "/admin/exports",
        Staff,
        admin::extracts::page,
        [admin::extracts::AskExtract]
    ),
    page!("/consents/{code}", Public, account::documents::consent),
    page!("/help", Public, account::help::page),
    page!(
        "/help/{code}",
        Public,
        account::help::article,
        [account::help::Vote, account::help::TellMissing]
    ),
    page!("/questions", Public, account::questions::page),
    page!(
        "/questions/new",
        Customer,
        account::questions::new,
        [account::questions::Ask]
    ),
    page!("/questions/mine", Customer, account::questions::mine),
    page!(
        "/questions/{id}",
        Public,
        account::questions::one,
        [account::questions::VoteAnswer]
    ),
    page!(
        "/chat",
        Public,
        account::chat::page,
        [account::chat::Say, account::chat::Code, account::chat::Choose]
    ),
    page!("/profile", Customer, cabinet::profile::page),
    page!(
        "/profile/person",
        Customer,
        cabinet::person::page,
        [cabinet::person::ChangePerson]
    ),
    page!(
        "/profile/contacts",
        Customer,
        cabinet::contacts::page,
        [
            cabinet::contacts::AddPhone,
            cabinet::contacts::AddEmail,
            cabinet::contacts::RemoveContact,
            cabinet::contacts::MakePrimary,
            cabinet::contacts::VerifyContact,
            cabinet::number::CancelNumberChange,
            cabinet::devices::EndOthers,
        ]
    ),
    page!(
        "/profile/contacts/code",
        Customer,
        cabinet::confirm::contact_code,
        [cabinet::confirm::ProveContact, cabinet::confirm::ResendToContact]
    ),
    page!(
        "/profile/security",
        Customer,
        cabinet::security::page,
        [cabinet::security::SetPassword, cabinet::security::RemovePassword]
    ),
    page!(
        "/profile/providers",
        Customer,
        cabinet::providers::page,
        [cabinet::providers::Unlink, cabinet::devices::EndOthers]
    ),
    page!(
        "/confirm",
        Customer,
        cabinet::confirm::page,
        [
            cabinet::confirm::SendCode,
            cabinet::confirm::ByPassword,
            account::factors::BySecond,
            account::factors::ByPasskey,
        ]
    ),
    page!(
        "/profile/second-factor",
        Customer,
        cabinet::second_factor::page,
        [
            account::factors::OfferTotp,
            account::factors::ConfirmTotp,
            account::factors::RemoveFactor,
            account::factors::MakeCodes,
            account::factors::KeepCodes,
            cabinet::devices::EndOthers,
            cabinet::second_factor::CancelRemoval,
        ]
    ),
    page!(
        "/profile/passkeys",
        Customer,
        cabinet::passkeys::page,
        [
            account::factors::AddPasskey,
            account::factors::RenamePasskey,
            account::factors::RemoveFactor,
            cabinet::devices::EndOthers,
        ]
    ),
    page!(
        "/confirm/code",
        Customer,
        cabinet::confirm::code,
        [cabinet::confirm::ByCode, cabinet::confirm::Resend]
    ),
    page!(
        "/profile/children",
        Customer,
        cabinet::children::page,
        [cabinet::children::AddChild, cabinet::children::RemoveChild,]
    ),
    page!(
        "/profile/preferences",
        Customer,
        cabinet::preferences::page,
        [cabinet::preferences::ChangePreferences]
    ),
    page!(
        "/questionnaire",
        Customer,
        cabinet::questionnaire::page,
        [cabinet::questionnaire::Tell, cabinet::questionnaire::Withdraw]
    ),
    page!(
        "/profile/consents",
        Customer,
        cabinet::consents::page,
        [cabinet::consents::ChangeConsent, cabinet::consents::WithdrawAll]
    ),
    download!(
        "/profile/consents/{id}/receipt.txt",
        Customer,
        cabinet::consents::text_receipt
    ),
    download!(
        "/profile/consents/{id}/receipt.json",
        Customer,
        cabinet::consents::json_receipt
    ),
    page!("/profile/views", Customer, cabinet::looks::page),
    page!(
        "/profile/data",
        Customer,
        cabinet::data::page,
        [cabinet::data::AskExport]
    ),
    page!(
        "/profile/erase",
        Customer,
        cabinet::erase::page,
        [cabinet::erase::AskErasure, cabinet::erase::CancelErasure]
    ),
    page!(
        "/profile/quiet",
        Customer,
        cabinet::quiet::page,
        [cabinet::quiet::ChangeQuiet]
    ),
    page!("/profile/messages", Customer, cabinet::messages::page),
    page!(
        "/merge",
        Customer,
        cabinet::merge::page,
        [
            cabinet::merge::ProvePhone,
            cabinet::merge::NameOther,
            cabinet::merge::TakeCode,
            cabinet::merge::BeginAnew,
            cabinet::merge::ConfirmMerge,
            cabinet::merge::UndoMerge,
        ]
    ),
    page!("/notifications", Customer, cabinet::notifications::page),
    page!(
        "/devices",
        Customer,
        cabinet::devices::page,
        [cabinet::devices::EndDevice, cabinet::devices::EndOthers]
    ),
    page!("/programs", Customer, cabinet::programs::page),
    page!(
        "/programs/{code}",
        Customer,
        cabinet::programs::one,
        [cabinet::programs::Join]
    ),
    page!(
        "/programs/{code}/leave",
        Customer,
        cabinet::programs::leave,
        [cabinet::programs::Leave]
    ),
    page!(
        "/invite",
        Customer,
        cabinet::invite::page,
        [cabinet::invite::BeginInviting, cabinet::invite::EnterCode]
    ),
    page!("/join/{secret}", SignedOut, account::join::page),
    page!(
        "/offers",
        Customer,
        cabinet::offers::page,
        [cabinet::offers::ActivateOffer]
    ),
    page!("/what-if", Customer, cabinet::what_if::page),
    page!("/stores", Customer, cabinet::stores::page),
    page!("/support", Customer, cabinet::support::page),
    page!(
        "/support/new",
        Customer,
        cabinet::support::new,
        [cabinet::support::Create]
    ),
    page!(
        "/support/{number}",
        Customer,
        cabinet::support::thread,
        [
            cabinet::support::Answer,
            cabinet::support::Close,
            cabinet::support::Reopen,
            cabinet::support::Rate,
        ]
    ),
    download!("/support/{number}/files/{file}", Customer, cabinet::support::file),
    page!("/inbox", Demonstration, account::inbox::page),
];

/// Changes that every page offers.
pub const EVERYWHERE: &[FormEntry] = &[
    form::<account::SetLanguage>(),
    form::<account::SetTheme>(),
    form::<account::SignOut>(),
    form::<account::StaffSignOut>(),
];

/// A new idempotency key for a form.
pub fn form_key() -> String {
    crm::who::Token::random().secret().to_owned()
}
