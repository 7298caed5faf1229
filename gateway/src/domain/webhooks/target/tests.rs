//! Every row of the target policy, and the tricks that try to get around it.

use super::*;

fn target(text: &str) -> TargetUrl {
    TargetUrl::parse(text).unwrap()
}

fn judged(policy: &TargetPolicy, text: &str, address: &str) -> Result<(), TargetRefusal> {
    policy.judge(&target(text), address.parse().unwrap())
}

const HOOK: &str = "http://shop.test:7071/webhooks/payments";

#[test]
fn an_address_is_taken_apart() {
    let url = target("http://127.0.0.1:7071/webhooks/payments?a=1&b=2");
    assert_eq!(url.host, Host::Address("127.0.0.1".parse().unwrap()));
    assert_eq!((url.port, url.secure), (7071, false));
    assert_eq!((url.path.as_str(), url.query.as_str()), ("/webhooks/payments", "a=1&b=2"));
    assert_eq!(url.authority(), "127.0.0.1:7071");
    let url = target("HTTPS://Shop.Example");
    assert_eq!(url.host, Host::Name("shop.example".into()));
    assert_eq!((url.port, url.secure, url.path.as_str()), (443, true, "/"));
    assert_eq!(url.authority(), "shop.example");
    assert_eq!(target("http://[::1]:7071/x").authority(), "[::1]:7071");
    assert_eq!(target("http://shop.test?x=1").query, "x=1");
}

#[test]
fn what_two_programs_could_read_differently_is_refused() {
    use TargetRefusal::{Fragment, Host, Malformed, Path, Port, Scheme, UserInfo};
    for (text, refusal) in [
        ("", Malformed),
        ("http://a b/", Malformed),
        ("http://a\\@b/", Malformed),
        ("http://a/\u{e9}", Malformed),
        ("http://a/\r\nx", Malformed),
        ("//a/", Scheme),
        ("ftp://a/", Scheme),
        ("javascript://a/", Scheme),
        ("file:///etc/passwd", Scheme),
        ("http://user@a/", UserInfo),
        ("http://user:pass@a/", UserInfo),
        ("http://a/#x", Fragment),
        ("http://a?x#y", Fragment),
        ("http:///x", Host),
        ("http://:80/", Host),
        ("http://a..b/", Host),
        ("http://a_b/", Host),
        ("http://0x7f.1/", Host),
        ("http://2130706433/", Host),
        ("http://127.1/", Host),
        ("http://0177.0.0.1/", Host),
        ("http://127.0.0.1.nip.0io/", Host),
        ("http://[::1/", Host),
        ("http://[::1]x/", Host),
        ("http://[127.0.0.1]/", Host),
        ("http://a:/", Port),
        ("http://a:0/", Port),
        ("http://a:+80/", Port),
        ("http://a:65536/", Port),
        ("http://a:80:80/", Port),
        ("http://a/_sandbox/clock", Path),
        ("http://a/x/../_sandbox/clock", Path),
        ("http://a/%5Fsandbox/clock", Path),
        ("http://a/%5f%53andbox", Path),
        ("http://a/_SANDBOX", Path),
        ("http://a/x/%2e%2e/y", Path),
        ("http://a/x%2f_sandbox", Path),
        ("http://a/metrics", Path),
        ("http://a/%zz", Malformed),
        ("http://a/%5", Malformed),
    ] {
        assert_eq!(TargetUrl::parse(text).unwrap_err(), refusal, "{text}");
    }
    let long = format!("http://a/{}", "x".repeat(URL_BYTES_MAX));
    assert_eq!(TargetUrl::parse(&long).unwrap_err(), Malformed);
}

#[test]
fn the_sandbox_calls_loopback_and_nothing_else_that_is_not_listed() {
    let policy = TargetPolicy::default();
    for loopback in ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1"] {
        assert_eq!(judged(&policy, HOOK, loopback), Ok(()), "{loopback}");
    }
    for private in ["10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "fc00::1", "fd12::1"]
    {
        assert_eq!(judged(&policy, HOOK, private), Err(TargetRefusal::Private), "{private}");
    }
    for public in ["8.8.8.8", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "2002:808:808::1"] {
        assert_eq!(judged(&policy, HOOK, public), Err(TargetRefusal::Public), "{public}");
    }
}

#[test]
fn some_addresses_are_never_called() {
    let listed = vec!["shop.test".to_owned()];
    let open =
        TargetPolicy { allow_private: listed.clone(), allow_public: listed, ..Default::default() };
    let strict = TargetPolicy { strict: true, ..open.clone() };
    for special in [
        "169.254.169.254",
        "0.0.0.0",
        "0.1.2.3",
        "100.64.0.1",
        "100.127.255.255",
        "224.0.0.1",
        "255.255.255.255",
        "240.0.0.1",
        "192.0.2.1",
        "::",
        "fe80::1",
        "febf::1",
        "fec0::1",
        "ff02::1",
        "::ffff:169.254.169.254",
        "64:ff9b::a9fe:a9fe",
        "2002:a9fe:a9fe::1",
        "::169.254.169.254",
        "2001::1",
        "2001:db8::1",
        "64:ff9b:1::1",
    ] {
        for policy in [&open, &strict] {
            assert_eq!(judged(policy, HOOK, special), Err(TargetRefusal::Special), "{special}");
        }
    }
}

#[test]
fn private_and_public_hosts_can_be_listed() {
    let policy = TargetPolicy {
        allow_private: vec!["shop.test".into(), "192.168.1.7".into()],
        allow_public: vec!["hooks.example".into()],
        ..Default::default()
    };
    assert_eq!(judged(&policy, HOOK, "10.0.0.1"), Ok(()));
    assert_eq!(judged(&policy, "http://SHOP.test/", "::ffff:10.0.0.1"), Ok(()));
    assert_eq!(judged(&policy, "http://192.168.1.7/", "192.168.1.7"), Ok(()));
    assert_eq!(judged(&policy, "http://192.168.1.8/", "192.168.1.8"), Err(TargetRefusal::Private));
    assert_eq!(judged(&policy, "http://hooks.example/", "8.8.8.8"), Ok(()));
    let moved = judged(&policy, "http://hooks.example/", "10.0.0.1");
    assert_eq!(moved, Err(TargetRefusal::Private), "listed as public, resolves to private");
    assert_eq!(judged(&policy, HOOK, "8.8.8.8"), Err(TargetRefusal::Public));
}

#[test]
fn the_production_rule_allows_public_https_only() {
    let policy = TargetPolicy { strict: true, ..Default::default() };
    let secure = "https://shop.example/hook";
    assert_eq!(judged(&policy, secure, "8.8.8.8"), Ok(()));
    assert_eq!(judged(&policy, HOOK, "8.8.8.8"), Err(TargetRefusal::Plain));
    assert_eq!(judged(&policy, secure, "127.0.0.1"), Err(TargetRefusal::Loopback));
    assert_eq!(judged(&policy, secure, "10.0.0.1"), Err(TargetRefusal::Private));
}

#[test]
fn our_own_ports_are_not_called_on_loopback() {
    let policy = TargetPolicy { own_ports: vec![7070, 7072, 7073], ..Default::default() };
    assert_eq!(judged(&policy, HOOK, "127.0.0.1"), Ok(()));
    for port in [7070, 7072, 7073] {
        let text = format!("http://localhost:{port}/x");
        assert_eq!(judged(&policy, &text, "::1"), Err(TargetRefusal::OwnPort));
    }
}

#[test]
fn a_literal_address_is_judged_without_resolving() {
    let policy = TargetPolicy::default();
    let judged = |text| policy.judge_literal(&target(text));
    assert_eq!(judged("http://127.0.0.1:7071/"), Ok(()));
    assert_eq!(judged("http://169.254.169.254/"), Err(TargetRefusal::Special));
    assert_eq!(judged("http://[::ffff:10.0.0.1]/"), Err(TargetRefusal::Private));
    assert_eq!(judged("http://metadata.internal/"), Ok(()), "judged when it is resolved");
}
