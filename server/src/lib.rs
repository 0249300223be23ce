//! The doors of Kabinet: the web server, the command line, the jobs. What is behind them is `crm`; what is shown is
//! `app`.

pub mod api;
pub mod audit;
pub mod callbacks;
pub mod channels;
pub mod config;
pub mod demo;
pub mod doctor;
pub mod exports;
pub mod guard;
pub mod import;
pub mod jobs;
pub mod live;
pub mod metrics;
pub mod outside;
pub mod pace;
pub mod reports;
pub mod router;
pub mod secret;
pub mod session;
pub mod site;
pub mod staff;
pub mod stop;
pub mod telemetry;
pub mod tills;
pub mod unsubscribe;
pub mod webhooks;
