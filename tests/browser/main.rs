//! What people see, in a real headless browser.
