//! The page of figures and alerts: tiles, charts with their tables, and rules.

use actix_web::web::Data;
use askama::Template;
use kit::http::{Problem, ReceivedRequest, query_pairs};

use super::Console;
use super::alerts::{self, Rule};
use super::figures::{self, Figures, WINDOWS, Window};
use super::frame::Frame;
use super::http::{Answer, as_page, problem};
use super::pages::rendered;

/// Width and height of the chart in its own units.
const CHART: (u64, u64) = (600, 120);

/// One bar of the chart.
struct Bar {
    x: u64,
    width: u64,
    y: u64,
    height: u64,
    paid_y: u64,
    paid_height: u64,
}

/// One tile.
struct Tile {
    id: &'static str,
    title: &'static str,
    value: String,
    hint: String,
    link: &'static str,
}

#[derive(Template)]
#[template(path = "console/kpis.html")]
struct KpisPage {
    frame: Frame,
    windows: &'static [Window],
    window: Window,
    tiles: Vec<Tile>,
    figures: Figures,
    bars: Vec<Bar>,
    most: u64,
    rules: Vec<Rule>,
}

/// `GET /kpis`
pub(super) async fn show(console: Data<Console>, received: ReceivedRequest) -> Answer {
    let pairs = query_pairs(&received.query)?;
    pairs.only(&["window", "refresh", "said"])?;
    let name = pairs.get("window").unwrap_or("1h");
    let window = Window::named(name).ok_or_else(|| {
        Problem::new(400, "parameter_invalid", "windows are 5m, 1h, 24h and all").param("window")
    })?;
    let looked = figures::look(&console, &[window]).await.map_err(problem)?;
    let figures = looked.into_iter().next().unwrap_or_default();
    alerts::evaluate(&console).await.map_err(problem)?;
    let frame = Frame::of(&console, &received, "kpis").await?;
    let frame = frame.alive(&received, format!("&window={name}"));
    let most = figures.slices.iter().map(|(all, _)| *all).max().unwrap_or(0);
    Ok(as_page(rendered(&KpisPage {
        frame,
        windows: &WINDOWS,
        window,
        tiles: tiles(&figures),
        bars: bars(&figures, most),
        most,
        figures,
        rules: alerts::rules(),
    })))
}

fn tiles(figures: &Figures) -> Vec<Tile> {
    let of = |id, title, rate: figures::Rate, link| Tile {
        id,
        title,
        value: rate.percent(),
        hint: format!("{} of {}", rate.part, rate.whole),
        link,
    };
    let few = if figures.webhook_lag.few() { "few: " } else { "" };
    vec![
        of("success", "Payments that succeeded", figures.success, "/payments"),
        of(
            "authorization",
            "Authorizations approved",
            figures.authorization,
            "/payments?q=status:captured",
        ),
        of("reversals", "Payments reversed", figures.reversals, "/payments"),
        of(
            "unknown",
            "Attempts with unknown outcome",
            figures.unknown,
            "/payments?q=status:processing",
        ),
        of("errors", "Messages that failed", figures.errors, "/messages?only=failed"),
        of("refunds", "Refunded of captured", figures.refunds, "/payments?q=status:captured"),
        of("disputes", "Disputed of captured", figures.disputes, "/payments?q=status:captured"),
        Tile {
            id: "lag",
            title: "Webhook lag, p95",
            value: format!("{} ms", figures.webhook_lag.p95),
            hint: format!("{few}{} deliveries", figures.webhook_lag.count),
            link: "/webhooks",
        },
        Tile {
            id: "volume",
            title: "Captured",
            value: if figures.volume.is_empty() { "–".into() } else { figures.volume.join(", ") },
            hint: String::new(),
            link: "/payments?q=status:captured",
        },
    ]
}

fn bars(figures: &Figures, most: u64) -> Vec<Bar> {
    let (width, height) = CHART;
    let count = u64::try_from(figures.slices.len()).unwrap_or(1).max(1);
    let step = width / count;
    let scaled = |value: u64| value.saturating_mul(height).checked_div(most).unwrap_or(0);
    let bar = |(place, (all, paid)): (usize, &(u64, u64))| Bar {
        x: step.saturating_mul(u64::try_from(place).unwrap_or(0)),
        width: step.saturating_sub(3),
        y: height.saturating_sub(scaled(*all)),
        height: scaled(*all),
        paid_y: height.saturating_sub(scaled(*paid)),
        paid_height: scaled(*paid),
    };
    figures.slices.iter().enumerate().map(bar).collect()
}
