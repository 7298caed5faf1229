//! Lessons: short stories on the real system, with something to do and a check that it was done.

mod attacks;
mod evidence;
mod hands;

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use actix_web::web::{Data, Path};
use askama::Template;
use kit::http::{Problem, ReceivedRequest, query_pairs};
use serde::Deserialize;
use wire::time::Timestamp;

use self::evidence::Evidence;
use super::Console;
use super::frame::Frame;
use super::http::{Answer, as_page, back, problem};
use super::pages::rendered;
use crate::failure::{Failure, Outcome};
use crate::trace::{Drawing, collect, drawing};

/// The lessons, part of the binary; a test reads them.
const LESSONS: &str = include_str!("lessons/lessons.toml");

/// One lesson.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Lesson {
    id: String,
    title: String,
    story: String,
    step: Vec<Step>,
    moral: String,
}

/// Something to do, and how it is seen that it was done.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Step {
    /// What to do.
    say: String,
    /// The button that does it: `buy`, `arm lose-answer`, `clock idle`.
    #[serde(rename = "do")]
    button: String,
    /// What must be true of the world since the lesson began.
    check: String,
}

#[derive(Deserialize)]
struct LessonFile {
    lesson: Vec<Lesson>,
}

fn lessons() -> Vec<Lesson> {
    toml::from_str::<LessonFile>(LESSONS).map(|file| file.lesson).unwrap_or_default()
}

fn lesson(id: &str) -> Result<Lesson, Problem> {
    lessons().into_iter().find(|lesson| lesson.id == id).ok_or_else(Problem::not_found)
}

/// How an attack ended, as the world showed it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Ended {
    attack: String,
    protected: bool,
    succeeded: bool,
}

/// Where the learner stands; gone with the console.
#[derive(Default)]
pub(super) struct Progress(Mutex<BTreeMap<String, Begun>>);

#[derive(Debug, Clone, Default)]
struct Begun {
    at: Timestamp,
    /// Orders that the lesson's own hands made, newest last.
    orders: Vec<hands::Order>,
    attacks: Vec<Ended>,
    completed: bool,
}

impl Progress {
    fn all(&self) -> MutexGuard<'_, BTreeMap<String, Begun>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn of(&self, id: &str) -> Option<Begun> {
        self.all().get(id).cloned()
    }

    fn change(&self, id: &str, change: impl FnOnce(&mut Begun)) {
        if let Some(begun) = self.all().get_mut(id) {
            change(begun);
        }
    }
}

struct LessonRow {
    id: String,
    title: String,
    state: &'static str,
}

#[derive(Template)]
#[template(path = "console/lessons.html")]
struct LessonsPage {
    frame: Frame,
    rows: Vec<LessonRow>,
    completed: usize,
}

/// `GET /lessons`
pub(super) async fn list(console: Data<Console>, received: ReceivedRequest) -> Answer {
    let frame = Frame::of(&console, &received, "lessons").await?;
    let row = |lesson: Lesson| {
        let state = match console.progress.of(&lesson.id) {
            None => "new",
            Some(begun) if begun.completed => "completed",
            Some(_) => "begun",
        };
        LessonRow { id: lesson.id, title: lesson.title, state }
    };
    let rows: Vec<LessonRow> = lessons().into_iter().map(row).collect();
    let completed = rows.iter().filter(|row| row.state == "completed").count();
    Ok(as_page(rendered(&LessonsPage { frame, rows, completed })))
}

struct StepRow {
    say: String,
    button: String,
    label: String,
    done: bool,
    seen: String,
}

#[derive(Template)]
#[template(path = "console/lesson.html")]
struct LessonPage {
    frame: Frame,
    lesson: Lesson,
    begun: bool,
    steps: Vec<StepRow>,
    completed: bool,
    shop: String,
    id: String,
    drawing: Option<Drawing>,
    next: Option<String>,
}

/// `GET /lessons/{id}`
pub(super) async fn show(
    console: Data<Console>,
    id: Path<String>,
    received: ReceivedRequest,
) -> Answer {
    query_pairs(&received.query)?.only(&["said", "refresh"])?;
    let lesson = lesson(&id)?;
    let begun = console.progress.of(&lesson.id);
    let evidence = match &begun {
        Some(begun) => Some(Evidence::since(&console, begun).await.map_err(problem)?),
        None => None,
    };
    let steps: Vec<StepRow> = lesson.step.iter().map(|step| row(step, evidence.as_ref())).collect();
    let completed = begun.is_some() && steps.iter().all(|step| step.done);
    if completed {
        console.progress.change(&lesson.id, |begun| begun.completed = true);
    }
    let frame = Frame::of(&console, &received, "lessons").await?.alive(&received, "");
    let payment = evidence.as_ref().and_then(Evidence::newest_payment).unwrap_or_default();
    let trace = match payment.as_str() {
        "" => None,
        payment => collect(&console.access, &console.client, payment).await.ok(),
    };
    let all = lessons();
    let place = all.iter().position(|known| known.id == lesson.id);
    let next = place.and_then(|place| all.get(place.saturating_add(1)));
    Ok(as_page(rendered(&LessonPage {
        frame,
        begun: begun.is_some(),
        steps,
        completed,
        shop: console.access.addresses.of(crate::program::Program::Merchant),
        id: payment,
        drawing: trace.as_ref().map(drawing),
        next: next.map(|lesson| lesson.id.clone()),
        lesson,
    })))
}

fn row(step: &Step, evidence: Option<&Evidence>) -> StepRow {
    // A check that nobody knows never holds.
    let known = evidence.filter(|_| evidence::is_known(&step.check));
    let seen = known.and_then(|evidence| evidence.check(&step.check));
    StepRow {
        say: step.say.clone(),
        button: step.button.clone(),
        label: hands::label(&step.button),
        done: seen.is_some(),
        seen: seen.unwrap_or_default(),
    }
}

/// `POST /lessons/{id}/begin`
pub(super) async fn begin(
    console: Data<Console>,
    id: Path<String>,
    received: ReceivedRequest,
) -> Answer {
    console.desk.form(&received)?;
    let lesson = lesson(&id)?;
    let at = console.client.now().await.map_err(problem)?;
    let begun = Begun { at, ..Begun::default() };
    console.progress.all().insert(lesson.id.clone(), begun);
    let place = format!("/lessons/{}", lesson.id);
    Ok(back(&console, &place, Ok("The lesson begins".to_owned())))
}

/// `POST /lessons/{id}/do`: presses one of the lesson's own buttons.
pub(super) async fn press(
    console: Data<Console>,
    id: Path<String>,
    received: ReceivedRequest,
) -> Answer {
    let form = console.desk.form(&received)?;
    let lesson = lesson(&id)?;
    let button = form.require("button")?;
    let pressed = if lesson.step.iter().any(|step| step.button == button) {
        hands::press(&console, &lesson.id, button).await
    } else {
        Err(Failure::usage(format!("this lesson has no button `{button}`")))
    };
    Ok(back(&console, &format!("/lessons/{}", lesson.id), pressed))
}

/// What a lesson's hands work with.
fn begun(console: &Console, lesson: &str) -> Outcome<Begun> {
    let none = || Failure::usage("begin the lesson first".to_owned());
    console.progress.of(lesson).ok_or_else(none)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_lesson_has_a_story_steps_and_checks_that_exist() {
        let lessons = lessons();
        assert!(lessons.len() >= 15, "{} lessons", lessons.len());
        for lesson in &lessons {
            assert!(lesson.story.len() > 80 && lesson.moral.len() > 20, "{}", lesson.id);
            assert!(!lesson.step.is_empty(), "{}", lesson.id);
            for step in &lesson.step {
                assert!(evidence::is_known(&step.check), "{}: {}", lesson.id, step.check);
                assert_ne!(hands::label(&step.button), step.button, "{}", lesson.id);
            }
        }
    }

    #[test]
    fn a_button_says_what_it_does_to_a_protection() {
        assert_eq!(hands::label("protect return off"), "Switch the protection off");
        assert_eq!(hands::label("protect return on"), "Switch the protection on");
    }

    #[test]
    fn an_attack_that_works_is_tried_again_with_the_protection_on() {
        for lesson in lessons() {
            let attacks =
                |word: &str| lesson.step.iter().filter(|step| step.check.starts_with(word)).count();
            assert_eq!(attacks("succeeded "), attacks("refused "), "{}", lesson.id);
        }
    }
}
