//! Dictionaries of structured fields (RFC 9651), read without copying.

/// Is told what a dictionary holds, from left to right.
pub(super) trait Visitor<'h> {
    /// A member with this label begins.
    fn begin(&mut self, label: &'h str);
    /// An item of the member's inner list, with its parameters.
    fn item(&mut self, item: &'h str);
    /// The member's value, if it is no inner list.
    fn value(&mut self, value: &'h str);
    /// A parameter of the member; its value is empty when it stands for true.
    fn parameter(&mut self, name: &'h str, value: &'h str);
    /// The member ends.
    fn end(&mut self);
}

/// Reads every line of a field; nothing if one of them is no dictionary.
pub(super) fn scan_all<'h>(lines: &[&'h str], visitor: &mut impl Visitor<'h>) -> Option<()> {
    lines.iter().try_for_each(|line| Scanner { text: line, position: 0 }.dictionary(visitor))
}

struct Scanner<'h> {
    text: &'h str,
    position: usize,
}

impl<'h> Scanner<'h> {
    fn dictionary(&mut self, visitor: &mut impl Visitor<'h>) -> Option<()> {
        self.skip(is_white);
        if self.peek().is_none() {
            return Some(());
        }
        loop {
            visitor.begin(self.key()?);
            if self.accept(b'=') {
                if self.peek() == Some(b'(') {
                    self.inner_list(visitor)?;
                } else {
                    visitor.value(self.bare_item()?);
                }
            }
            self.parameters(|name, value| visitor.parameter(name, value))?;
            visitor.end();
            self.skip(is_white);
            if self.peek().is_none() {
                return Some(());
            }
            if !self.accept(b',') {
                return None;
            }
            self.skip(is_white);
        }
    }

    fn inner_list(&mut self, visitor: &mut impl Visitor<'h>) -> Option<()> {
        self.accept(b'(');
        loop {
            self.skip(|byte| byte == b' ');
            if self.accept(b')') {
                return Some(());
            }
            let start = self.position;
            self.bare_item()?;
            self.parameters(|_, _| {})?;
            visitor.item(self.text.get(start..self.position)?);
            if !matches!(self.peek(), Some(b' ' | b')')) {
                return None;
            }
        }
    }

    fn parameters(&mut self, mut found: impl FnMut(&'h str, &'h str)) -> Option<()> {
        while self.accept(b';') {
            self.skip(|byte| byte == b' ');
            let name = self.key()?;
            let value = if self.accept(b'=') { self.bare_item()? } else { "" };
            found(name, value);
        }
        Some(())
    }

    /// A key: lower-case letters, digits, and some signs (RFC 9651, section 3.1.2).
    fn key(&mut self) -> Option<&'h str> {
        if !matches!(self.peek(), Some(b'a'..=b'z' | b'*')) {
            return None;
        }
        Some(self.take(|byte| {
            byte.is_ascii_lowercase()
                || byte.is_ascii_digit()
                || matches!(byte, b'_' | b'-' | b'.' | b'*')
        }))
    }

    /// A value as it is written: a string, bytes, or a run of the signs of tokens and numbers.
    fn bare_item(&mut self) -> Option<&'h str> {
        let start = self.position;
        match self.peek()? {
            b'"' => self.string()?,
            b':' => {
                self.position += 1;
                self.take(|byte| byte.is_ascii_alphanumeric() || b"+/=".contains(&byte));
                if !self.accept(b':') {
                    return None;
                }
            }
            _ => {
                let run = self.take(|byte| {
                    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~:/?@".contains(&byte)
                });
                // A display string is a percent sign before a string.
                match run {
                    "" => return None,
                    "%" => self.string()?,
                    _ => {}
                }
            }
        }
        self.text.get(start..self.position)
    }

    fn string(&mut self) -> Option<()> {
        if !self.accept(b'"') {
            return None;
        }
        loop {
            self.skip(|byte| matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\');
            if self.accept(b'"') {
                return Some(());
            }
            // What stopped the run is an escaped sign, or nothing that a string can hold.
            if !(self.accept(b'\\') && (self.accept(b'"') || self.accept(b'\\'))) {
                return None;
            }
        }
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.position).copied()
    }

    fn accept(&mut self, byte: u8) -> bool {
        let accepted = self.peek() == Some(byte);
        self.position += usize::from(accepted);
        accepted
    }

    fn skip(&mut self, wanted: impl Fn(u8) -> bool) {
        self.take(wanted);
    }

    /// The longest run of wanted bytes, which are ASCII.
    fn take(&mut self, wanted: impl Fn(u8) -> bool) -> &'h str {
        let rest = self.text.get(self.position..).unwrap_or_default();
        let length = rest.bytes().take_while(|&byte| wanted(byte)).count();
        self.position += length;
        rest.get(..length).unwrap_or_default()
    }
}

const fn is_white(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}
