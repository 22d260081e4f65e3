//! The live page in a browser: what people see of a node while it works, while it is dead, and after its return.

use std::fs::OpenOptions;
use std::io::Write;

use althing_protocol::event::Event;

use crate::{
    browser::{Browser, ENTER, Report, TAB},
    harness::Federation,
};

/// The round that the page shows.
const ROUND: &str = "Number(document.querySelector('#now .big').innerText.replace('round ', ''))";

/// The least contrast between a text and its ground, over the whole page.
const CONTRAST: &str = "
    const light = rgb => rgb.map(part => part / 255)
        .map(part => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4)
        .reduce((sum, part, place) => sum + part * [0.2126, 0.7152, 0.0722][place], 0);
    const rgb = text => text.match(/[\\d.]+/g).slice(0, 3).map(Number);
    const ground = element => {
        for (let at = element; at; at = at.parentElement) {
            const colour = getComputedStyle(at).backgroundColor;
            if (colour !== 'rgba(0, 0, 0, 0)') return rgb(colour);
        }
        return [255, 255, 255];
    };
    const texts = [...document.querySelectorAll('body *')].filter(element =>
        [...element.childNodes].some(node => node.nodeType === 3 && node.data.trim()) && !element.closest('svg, .skip'));
    return Math.min(...texts.map(element => {
        const [one, other] = [rgb(getComputedStyle(element).color), ground(element)].map(light);
        return (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
    }));";

/// Where the member at `place` serves its page.
fn address(federation: &mut Federation, place: usize) -> String {
    federation.seats[place].wait("where its page is", |event| match event {
        Event::Serving { address } => Some(address.clone()),
        _ => None,
    })
}

fn round(browser: &Browser) -> u64 {
    browser.run(&format!("return {ROUND}")).as_u64().unwrap()
}

/// Waits until the page has come further, by itself.
fn wait_beyond(browser: &Browser, round: u64) {
    browser.wait("a later round", &format!("return {ROUND} > {round}"));
}

#[test]
fn the_page_goes_on_without_a_reload_when_its_node_was_killed_and_is_back() {
    let Some(browser) = Browser::start() else { return };
    let mut federation = Federation::of(2).start();
    let address = address(&mut federation, 0);
    browser.open(&format!("http://{address}/"));
    browser.wait("the first news", "return document.body.dataset.state === 'live'");
    browser.run("window.since = 'the first load'");
    wait_beyond(&browser, round(&browser));
    let parts = browser.run("return [...document.querySelectorAll('section h2 + div > div')].map(part => part.id)");
    assert!(parts.as_array().unwrap().len() >= 10, "{parts}");
    assert!(browser.text("members").contains("member-1") && browser.text("now").contains("chaired by"));
    assert_eq!(browser.reports(), [], "while all is well, nothing is reported");

    federation.seats[0].kill();
    browser.wait("word of its death", "return document.body.dataset.state === 'away'");
    assert_eq!(browser.text("state"), "the node does not answer; trying again");
    let last = round(&browser);
    assert!(last > 0, "what it knew is still there");
    let config = federation.seats[0].dir.join("node.toml");
    let mut config = OpenOptions::new().append(true).open(config).unwrap();
    writeln!(config, "[http]\nlisten = \"{address}\"").unwrap();
    federation.launch(0);
    browser.wait("its return", "return document.body.dataset.state === 'live'");
    assert_eq!(browser.text("state"), "live");
    wait_beyond(&browser, last);
    assert_eq!(browser.run("return window.since"), "the first load");

    // The browser itself writes down that nobody answered; no script can keep it from that.
    let silence = |report: &Report| report.source == "network" && report.message.contains("/live");
    let reports: Vec<Report> = browser.reports().into_iter().filter(|report| !silence(report)).collect();
    assert_eq!(reports, []);
    let elsewhere = |url: &String| !url.starts_with(&format!("http://{address}/")) && !url.starts_with("data:");
    let requests = browser.requests();
    assert!(requests.iter().any(|url| url.ends_with("/page.css")), "{requests:?}");
    assert_eq!(requests.into_iter().find(elsewhere), None, "nothing comes from elsewhere");
    federation.stop_all();
}

#[test]
fn the_page_fits_a_phone_and_a_desk_in_light_and_dark_and_needs_no_mouse() {
    let Some(browser) = Browser::start() else { return };
    let mut federation = Federation::of(1).start();
    let url = format!("http://{}/", address(&mut federation, 0));
    let mut grounds = Vec::new();
    for (width, scheme) in [(360, "light"), (360, "dark"), (1_280, "light"), (1_280, "dark")] {
        browser.become_device(width, scheme);
        browser.open(&url);
        browser.wait("news", "return document.body.dataset.state === 'live'");
        browser.wait("curves", "return document.querySelector('#accuracy polyline') !== null");
        let wide = browser.run("return document.documentElement.scrollWidth").as_u64().unwrap();
        assert!(wide <= u64::from(width), "{wide} units on a device of {width}");
        let contrast = browser.run(CONTRAST).as_f64().unwrap();
        assert!(contrast >= 4.5, "{contrast} in {scheme}");
        grounds.push(browser.run("return getComputedStyle(document.body).backgroundColor"));
    }
    assert!(grounds[0] != grounds[1] && grounds[0] == grounds[2] && grounds[1] == grounds[3], "{grounds:?}");

    let focus = "return document.activeElement.className || document.activeElement.id";
    browser.press(TAB);
    assert_eq!(browser.run(focus), "skip", "the first stop leads past the heading");
    browser.press(ENTER);
    assert_eq!(browser.run(focus), "content");
    let stop = "return document.activeElement.getAttribute('aria-labelledby')";
    for region in ["members-title", "rounds-title"] {
        browser.press(TAB);
        assert_eq!(browser.run(stop), region);
        assert_eq!(browser.run("return getComputedStyle(document.activeElement).outlineStyle"), "solid", "it is seen");
        wait_beyond(&browser, round(&browser));
        assert_eq!(browser.run(stop), region, "news do not take the keyboard away");
    }
    assert_eq!(browser.reports(), []);
    federation.stop_all();
}
