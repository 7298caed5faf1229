//! The shop from outside: browsers, programs and notifications against a scripted gateway.

#[cfg(test)]
mod api;
#[cfg(test)]
mod backstop;
#[cfg(test)]
mod browser;
#[cfg(test)]
mod checkout;
#[cfg(test)]
mod gateway;
#[cfg(test)]
mod http;
#[cfg(test)]
mod notifications;
#[cfg(test)]
mod office;
#[cfg(test)]
mod orders;
#[cfg(test)]
mod world;
