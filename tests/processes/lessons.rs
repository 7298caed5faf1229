//! An automated learner goes through every lesson, pressing what a person would press.

use std::time::Duration;

use payrig_tests::http::Http;
use payrig_tests::processes::{Scratch, Up, seen};

/// How often a learner goes through the steps of a lesson at most.
const ROUNDS: usize = 8;

struct Learner {
    http: Http,
    console: String,
}

/// A step of a page: whether it is done, and its button.
fn steps(page: &str) -> Vec<(bool, String)> {
    let rows = page.split("data-testid=\"step\"").skip(1);
    let between = |text: &str, before: &str, after: &str| {
        let (_, rest) = text.split_once(before).unwrap();
        rest.split_once(after).unwrap().0.to_owned()
    };
    rows.map(|row| {
        (row.contains("data-done=\"yes\""), between(row, "name=\"button\" value=\"", "\""))
    })
    .collect()
}

impl Learner {
    async fn page(&self, path: &str) -> String {
        let answer = self.http.get(&format!("{}{path}", self.console)).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        answer.text()
    }

    async fn press(&self, path: &str, more: &str) {
        let page = self.page("/faults").await;
        let (_, rest) = page.split_once("name=\"csrf\" value=\"").unwrap();
        let proof = rest.split_once('"').unwrap().0;
        let body = format!("csrf={proof}{more}");
        let kind = [("content-type", "application/x-www-form-urlencoded")];
        let url = format!("{}{path}", self.console);
        let answer = self.http.send("POST", &url, &kind, body).await;
        assert_eq!(answer.status, 303, "{path}: {}", answer.text());
    }

    async fn learn(&self, lesson: &str) {
        let path = format!("/lessons/{lesson}");
        self.press(&format!("{path}/begin"), "").await;
        for _ in 0..ROUNDS {
            for at in 0..steps(&self.page(&path).await).len() {
                let (done, button) = steps(&self.page(&path).await).remove(at);
                if !done {
                    let button = button.replace(' ', "+");
                    self.press(&format!("{path}/do"), &format!("&button={button}")).await;
                }
            }
            let completed = seen(Duration::from_secs(3), async || {
                self.page(&path).await.contains("data-testid=\"completed\"").then_some(())
            });
            if completed.await.is_some() {
                self.press("/faults/clear", "").await;
                return;
            }
        }
        panic!("{lesson} was not completed: {:?}", steps(&self.page(&path).await));
    }
}

#[actix_web::test]
async fn every_lesson_can_be_completed_on_the_real_system() {
    let state = Scratch::new("lessons");
    let up = Up::start(&state).await;
    let learner = Learner { http: Http::default(), console: up.addresses.console() };
    let list = learner.page("/lessons").await;
    let ids: Vec<String> = list
        .split("href=\"/lessons/")
        .skip(1)
        .map(|rest| rest.split_once('"').unwrap().0.to_owned())
        .collect();
    assert!(ids.len() >= 15, "{ids:?}");
    for lesson in &ids {
        assert!(!steps(&learner.page(&format!("/lessons/{lesson}")).await).iter().any(|it| it.0));
        learner.learn(lesson).await;
    }
    let list = learner.page("/lessons").await;
    assert_eq!(list.matches("data-state=\"completed\"").count(), ids.len());
    assert!(!list.contains("weakness-bar"), "every protection is on again");
}
