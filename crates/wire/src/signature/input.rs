//! Reading `Signature-Input` and `Signature`: which signature is ours, and what it claims.

use std::borrow::Cow;

use super::component::{Component, ComponentSet};
use super::dictionary::{Visitor, scan_all};
use super::refusal::{Refusal, RefusalReason};
use super::{ALGORITHM, NONCE_LENGTH_MAX, NONCE_LENGTH_MIN, ReceivedHeaders, TAG};
use super::{SIGNATURE_INPUT_BYTES_MAX, SignatureTimes};

/// A parameter of a signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Parameter {
    Created,
    Expires,
    Nonce,
    KeyId,
    Tag,
    Algorithm,
}

impl Parameter {
    const REQUIRED: [Self; 5] = [Self::Created, Self::Expires, Self::Nonce, Self::KeyId, Self::Tag];

    fn parse(name: &str) -> Option<Self> {
        match name {
            "created" => Some(Self::Created),
            "expires" => Some(Self::Expires),
            "nonce" => Some(Self::Nonce),
            "keyid" => Some(Self::KeyId),
            "tag" => Some(Self::Tag),
            "alg" => Some(Self::Algorithm),
            _ => None,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Expires => "expires",
            Self::Nonce => "nonce",
            Self::KeyId => "keyid",
            Self::Tag => "tag",
            Self::Algorithm => "alg",
        }
    }
}

/// What one signature says that it covers, in the signer's order.
#[derive(Clone, Debug)]
pub(super) struct Input<'h> {
    label: &'h str,
    components: [Component; Component::ALL.len()],
    component_count: usize,
    covered: ComponentSet,
    request_label: Option<&'h str>,
    parameters: [(Parameter, &'h str); 6],
    parameter_count: usize,
    ours: bool,
    /// The first thing that the profile does not allow.
    fault: Option<(RefusalReason, &'h str)>,
}

impl<'h> Input<'h> {
    const fn new(label: &'h str) -> Self {
        Self {
            label,
            components: [Component::Method; Component::ALL.len()],
            component_count: 0,
            covered: ComponentSet::EMPTY,
            request_label: None,
            parameters: [(Parameter::Created, ""); 6],
            parameter_count: 0,
            ours: false,
            fault: None,
        }
    }

    pub(super) const fn label(&self) -> &'h str {
        self.label
    }

    pub(super) const fn request_label(&self) -> Option<&'h str> {
        self.request_label
    }

    pub(super) const fn covered(&self) -> ComponentSet {
        self.covered
    }

    /// The covered components, in the signer's order.
    pub(super) fn components(&self) -> &[Component] {
        self.components.get(..self.component_count).unwrap_or_default()
    }

    /// The parameters as they were written, in the signer's order.
    pub(super) fn parameters(&self) -> impl Iterator<Item = (&'static str, &'h str)> {
        let present = self.parameters.get(..self.parameter_count).unwrap_or_default();
        present.iter().map(|&(parameter, value)| (parameter.name(), value))
    }

    fn add_component(&mut self, identifier: &'h str) {
        let Some((component, label)) = Component::parse(identifier) else {
            self.fault.get_or_insert((RefusalReason::ComponentUnexpected, identifier));
            return;
        };
        if self.covered.contains(component) {
            self.fault.get_or_insert((RefusalReason::ComponentDuplicate, identifier));
        } else if let Some(slot) = self.components.get_mut(self.component_count) {
            *slot = component;
            self.component_count += 1;
            self.covered = self.covered.with(component);
            self.request_label = self.request_label.or(label);
        }
    }

    fn add_parameter(&mut self, name: &'h str, value: &'h str) {
        let Some(parameter) = Parameter::parse(name) else {
            self.fault.get_or_insert((RefusalReason::ParameterUnexpected, name));
            return;
        };
        self.ours |= parameter == Parameter::Tag && unquoted(value).as_deref() == Some(TAG);
        if self.value_of(parameter).is_some() {
            self.fault.get_or_insert((RefusalReason::ParameterUnexpected, name));
        } else if let Some(slot) = self.parameters.get_mut(self.parameter_count) {
            *slot = (parameter, value);
            self.parameter_count += 1;
        }
    }

    fn value_of(&self, parameter: Parameter) -> Option<&'h str> {
        let present = self.parameters.get(..self.parameter_count).unwrap_or_default();
        present.iter().find(|(name, _)| *name == parameter).map(|&(_, value)| value)
    }

    /// Refuses what the profile forbids whatever the message: unknown and doubled things.
    pub(super) fn check_form(&self) -> Result<(), Refusal> {
        match self.fault {
            Some((reason, subject)) => Err(Refusal::about(reason, subject)),
            None => Ok(()),
        }
    }

    /// The values of the parameters, each in its form.
    pub(super) fn claims(&self) -> Result<Claims<'h>, Refusal> {
        if let Some(missing) =
            Parameter::REQUIRED.into_iter().find(|&it| self.value_of(it).is_none())
        {
            return Err(Refusal::about(RefusalReason::ParameterMissing, missing.name()));
        }
        let text = |parameter| self.value_of(parameter).and_then(unquoted);
        let time = |parameter: Parameter| {
            self.value_of(parameter)
                .and_then(plain_time)
                .ok_or_else(|| Refusal::about(RefusalReason::TimeMalformed, parameter.name()))
        };
        let nonce = text(Parameter::Nonce)
            .filter(|nonce| {
                (NONCE_LENGTH_MIN..=NONCE_LENGTH_MAX).contains(&nonce.len())
                    && nonce.bytes().all(|byte| byte.is_ascii_graphic())
            })
            .ok_or_else(|| Refusal::of(RefusalReason::NonceMalformed))?;
        let times = SignatureTimes {
            created: time(Parameter::Created)?,
            expires: time(Parameter::Expires)?,
        };
        // Something other than a string names no key.
        let key_id =
            text(Parameter::KeyId).ok_or_else(|| Refusal::of(RefusalReason::KeyUnknown))?;
        let algorithm_fits = match self.value_of(Parameter::Algorithm) {
            None => true,
            Some(value) => unquoted(value).as_deref() == Some(ALGORITHM),
        };
        Ok(Claims { key_id, nonce, times, algorithm_fits })
    }
}

/// What the parameters of a signature claim. Proven by nothing yet.
pub(super) struct Claims<'h> {
    pub key_id: Cow<'h, str>,
    pub nonce: Cow<'h, str>,
    pub times: SignatureTimes,
    pub algorithm_fits: bool,
}

/// The content of a quoted string.
fn unquoted(value: &str) -> Option<Cow<'_, str>> {
    let inner = value.strip_prefix('"')?.strip_suffix('"')?;
    if !inner.contains('\\') {
        return Some(Cow::Borrowed(inner));
    }
    let mut text = String::with_capacity(inner.len());
    let mut characters = inner.chars();
    while let Some(character) = characters.next() {
        text.push(if character == '\\' { characters.next()? } else { character });
    }
    Some(Cow::Owned(text))
}

/// A plain integer from 0 up to 2^53, which every language can hold: no sign, no leading zero.
fn plain_time(text: &str) -> Option<i64> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    let leading_zero = text.len() > 1 && text.starts_with('0');
    if text.is_empty() || text.len() > 16 || !digits || leading_zero {
        return None;
    }
    text.parse().ok().filter(|&seconds: &i64| seconds < 1 << 53)
}

/// Our one signature in the headers of a message, and its value `:base64:`.
pub(super) fn read<'h>(headers: &ReceivedHeaders<'h>) -> Result<(Input<'h>, &'h str), Refusal> {
    let length: usize = headers.signature_input.iter().map(|line| line.len()).sum();
    if length > SIGNATURE_INPUT_BYTES_MAX {
        return Err(Refusal::about(RefusalReason::HeaderTooLarge, "signature-input"));
    }
    let mut inputs = Inputs { current: Input::new(""), ours: None, ours_count: 0, count: 0 };
    scan_all(headers.signature_input, &mut inputs)
        .ok_or_else(|| Refusal::about(RefusalReason::SignatureMissing, "signature-input"))?;
    let ours = inputs
        .ours
        .ok_or_else(|| Refusal::about(RefusalReason::SignatureMissing, "signature-input"))?;
    let label = ours.label;
    if inputs.count > 1 {
        let mut namesakes = Labelled::new(label);
        let readable = scan_all(headers.signature_input, &mut namesakes).is_some();
        if !readable || namesakes.count > 1 || inputs.ours_count > 1 {
            return Err(Refusal::about(RefusalReason::SignatureDuplicate, label));
        }
    }
    let mut signature = Labelled::new(label);
    let readable = scan_all(headers.signature, &mut signature).is_some();
    if !readable || signature.count == 0 {
        return Err(Refusal::about(RefusalReason::SignatureMissing, "signature"));
    }
    if signature.count > 1 {
        return Err(Refusal::about(RefusalReason::SignatureDuplicate, label));
    }
    if !signature.plain {
        return Err(Refusal::about(RefusalReason::ParameterUnexpected, "signature"));
    }
    Ok((ours, signature.value))
}

/// Picks the signature with our tag.
struct Inputs<'h> {
    current: Input<'h>,
    ours: Option<Input<'h>>,
    ours_count: usize,
    /// All signatures, ours or not.
    count: usize,
}

impl<'h> Visitor<'h> for Inputs<'h> {
    fn begin(&mut self, label: &'h str) {
        self.current = Input::new(label);
        self.count += 1;
    }

    fn item(&mut self, identifier: &'h str) {
        self.current.add_component(identifier);
    }

    fn value(&mut self, value: &'h str) {
        self.current.fault.get_or_insert((RefusalReason::ComponentUnexpected, value));
    }

    fn parameter(&mut self, name: &'h str, value: &'h str) {
        self.current.add_parameter(name, value);
    }

    fn end(&mut self) {
        if self.current.ours {
            self.ours_count += 1;
            self.ours.get_or_insert_with(|| self.current.clone());
        }
    }
}

/// Counts the members under one label, and keeps the value of the first.
struct Labelled<'h> {
    label: &'h str,
    count: usize,
    value: &'h str,
    /// Whether the value is a single one, without parameters.
    plain: bool,
    inside: bool,
}

impl<'h> Labelled<'h> {
    const fn new(label: &'h str) -> Self {
        Self { label, count: 0, value: "", plain: true, inside: false }
    }
}

impl<'h> Visitor<'h> for Labelled<'h> {
    fn begin(&mut self, label: &'h str) {
        self.inside = label == self.label;
        self.count += usize::from(self.inside);
    }

    fn item(&mut self, _: &'h str) {
        self.plain &= !self.inside;
    }

    fn value(&mut self, value: &'h str) {
        if self.inside && self.count == 1 {
            self.value = value;
        }
    }

    fn parameter(&mut self, _: &'h str, _: &'h str) {
        self.plain &= !self.inside;
    }

    fn end(&mut self) {
        self.inside = false;
    }
}
