use proptest::prelude::*;

use super::*;

#[test]
fn userinfo_is_covered_in_valid_and_broken_urls() {
    for (text, shown) in [
        ("http://u:p@h/x", "http://***@h/x"),
        ("http://token@h/x", "http://***@h/x"),
        ("GET http://u:p@h/ next", "GET http://***@h/ next"),
        ("http://u:p/w@h/x", "http://***@h/x"),
        ("http://u:p?w#v@h/x", "http://***@h/x"),
        ("http://u:p@w@h/x", "http://***@h/x"),
        ("http://u:p w@h/x", "http://***@h/x"),
        ("http://u:p\"w@h/x", "http://***@h/x"),
        ("http://u:p%40h/x", "http://***%40h/x"),
        ("http://u:p@[::1", "http://***@[::1"),
        ("http://u:p@[::1]:80/x@y", "http://***@[::1]:80/x@y"),
        (r"http:\\u:p@h", r"http:\\***@h"),
        ("http:/u:p@h", "http:/***@h"),
        ("http:u:p@h", "***@h"),
        ("//u:p@h", "//***@h"),
        ("u:p@h:80/x", "***@h:80/x"),
        ("http://h/?next=http://u:p@i/", "http://h/?next=http://***@i/"),
        ("http://h/302/to/http://u:p@i/", "http://h/302/to/http://***@i/"),
        ("http://u:p@h/?next=http://u:p@i/", "http://***@h/?next=http://***@i/"),
        (r#"{"url": "ftp://u:p@h"}"#, r#"{"url": "ftp://***@h"}"#),
    ] {
        assert_eq!(redact(text), shown, "of {text}");
    }
}

#[test]
fn secret_parameters_are_covered_however_they_are_spelt() {
    for (text, shown) in [
        ("http://h/?token=s", "http://h/?token=***"),
        ("http://h/?a=b&sig=s%2Bs&c=d#e", "http://h/?a=b&sig=***&c=d#e"),
        ("http://h/?X-Amz-Signature=s&X-Amz-Date=d", "http://h/?X-Amz-Signature=***&X-Amz-Date=d"),
        ("http://h/?X-Amz-Credential=s%2Faws4", "http://h/?X-Amz-Credential=***"),
        ("http://h/?x-amz-security-token=s", "http://h/?x-amz-security-token=***"),
        ("http://h/?X-Goog-Signature=s", "http://h/?X-Goog-Signature=***"),
        ("http://h/?%74oken=s&%54OKEN=s", "http://h/?%74oken=***&%54OKEN=***"),
        ("http://h/?api_key=s&apikey=s&api-key=s&Key=s", "http://h/?api_key=***&apikey=***&api-key=***&Key=***"),
        ("http://h/?user[password]=s&token[]=s", "http://h/?user[password]=***&token[]=***"),
        ("http://h/?client_secret=s&csrfToken=s", "http://h/?client_secret=***&csrfToken=***"),
        ("http://h/?aws_secret_access_key=s&PHPSESSID=s", "http://h/?aws_secret_access_key=***&PHPSESSID=***"),
        ("http://h/?token=a=b/c?d", "http://h/?token=***"),
        ("http://h/?a;token=s;t&b", "http://h/?a;token=***&b"),
        ("http://h/x;jsessionid=s/y;v=1?z", "http://h/x;jsessionid=***/y;v=1?z"),
        ("http://h/#access_token=s&state=x", "http://h/#access_token=***&state=x"),
        ("http://h/#/route?token=s#t", "http://h/#/route?token=***"),
        ("/login?password=s", "/login?password=***"),
        ("http://h/?code=SplxlOBeZQQYbYS6WxSbIA", "http://h/?code=***"),
        ("http://h/?next=/y?token=s", "http://h/?next=/y?token=***"),
        ("http://h/?next=http%3A%2F%2Fi%2F%3Ftoken%3Ds&a", "http://h/?next=***&a"),
        ("http://h/?next=http%3A%2F%2Fu%3Ap%40i%2F", "http://h/?next=***"),
        ("http://h/?next=%252Fy%253Ftoken%253Ds", "http://h/?next=***"),
        ("http://h/?a=%2525252525253D", "http://h/?a=***"),
    ] {
        assert_eq!(redact(text), shown, "of {text}");
    }
}

#[test]
fn encoded_urls_with_a_secret_are_covered_without_a_name_too() {
    for (text, shown) in [
        ("http://h/fetch/https%3A%2F%2Fu%3Ap%40i/x", "http://h/fetch/***/x"),
        ("http://h/fetch/https%3a%5c%5cu%3ap%40i", "http://h/fetch/***"),
        ("http://h/fetch/https%253A%252F%252Fu%253Ap%2540i", "http://h/fetch/***"),
        ("http://h/https%3A%2F%2Fi%2F%3Ftoken%3Ds?a", "http://h/***?a"),
        ("http://h/?https%3A%2F%2Fu%3Ap%40i&a", "http://h/?***&a"),
        ("http://h/#https%3A%2F%2Fi%2F%3Ftoken%3Ds", "http://h/#***"),
        ("http://u:p@h/https%3A%2F%2Fu%3Ap%40i?key=s", "http://***@h/***?key=***"),
    ] {
        assert_eq!(redact(text), shown, "of {text}");
    }
}

#[test]
fn what_has_no_secret_is_not_even_copied() {
    for text in [
        "http://h/fetch/https%3A%2F%2Fi%2F%3Fq%3Dx/a%2Fb%40c",
        "http://h/image%3Atag%40sha256%3Aabc/@scope%2Fname",
        "http://h/",
        "http://h:80/a@b",
        "http://[::1]/a@b",
        "http://h/a@b?c=d@e",
        "me@example.com",
        "http://h/?token",
        "http://h/?token=&key=",
        "http://h/?q=token&keyword=x&monkey=x&design=x&author=x",
        "http://h/?code=DE&page_token=x&nextPageToken=x",
        "http://h/token=x/?a=b",
        "http://h/?next=http%3A%2F%2Fi%2F%3Fa%3Db&q=100%25%3D",
        "http://h/%zz?%=%&a=%e9",
    ] {
        assert!(matches!(redact(text), Cow::Borrowed(_)), "{text}: {}", redact(text));
    }
}

#[test]
fn each_url_in_a_text_is_covered_on_its_own() {
    for (text, shown) in [
        ("<http://h?a>; rel=\"next\", <http://u:p@h/?key=s>", "<http://h?a>; rel=\"next\", <http://***@h/?key=***>"),
        ("0; url=http://h/?token=s x", "0; url=http://h/?token=*** x"),
        ("url=\"/x?token=s\" status=200", "url=\"/x?token=***\" status=200"),
    ] {
        assert_eq!(redact_each(text), shown);
    }
}

#[test]
fn urls_in_a_response_are_covered_and_what_it_gives_is_not() {
    let fields = [
        ("location", "http://u:p@h/?token=s \"s", "http://***@h/?token=***"),
        ("link", "</x?sig=s>; rel=next", "</x?sig=***>; rel=next"),
        ("refresh", "0;url=/?key=s", "0;url=/?key=***"),
        ("content-location", "/x?a=b", "/x?a=b"),
        ("set-cookie", "token=s", "token=s"),
    ];
    let given = fields.iter().map(|&(name, value, _)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
    let shown = response(given.collect());
    for (name, _, value) in fields {
        assert_eq!(shown[name], value);
    }
}

/// Lists and servers choose these texts. Some would take minutes if the time grew with the square of the length.
#[test]
fn no_text_takes_longer_than_its_length_asks_for() {
    for piece in ["a:/", "://", "?;a=b", ";a=%25", "&a=%2525", "?a=%3Fb%3D", "=", "@", "[", "?#", "a:/@", "//:"] {
        let text = piece.repeat(50_000 / piece.len());
        for text in [&text, &format!("http://h/?{text}"), &format!("http://h/#{text}@")] {
            assert!(redact(text).len() <= redact_each(text).len() + text.len());
        }
    }
}

/// A part of a URL, without the characters that delimit.
fn part() -> impl Strategy<Value = String> {
    proptest::string::string_regex("[a-z0-9A-Z%._~!$'()*+,-]{0,12}").expect("a pattern")
}

fn secret_name() -> impl Strategy<Value = String> {
    let name = proptest::sample::select(&["X-Amz-Signature", "sig", "token", "API_KEY", "password", "%6bey"]);
    name.prop_map(str::to_owned)
}

proptest! {
    #[test]
    fn once_is_enough(text in "[a-z:/@?#&;=%\\[\\] \"\\\\0-9.-]{0,40}", parts in proptest::collection::vec(part(), 4)) {
        let url = format!("http://{text}?{}={}&{}={}", parts[0], parts[1], parts[2], parts[3]);
        for text in [text.as_str(), url.as_str()] {
            let once = redact(text).into_owned();
            prop_assert_eq!(redact(&once), once.as_str());
            let once = redact_each(text).into_owned();
            prop_assert_eq!(redact_each(&once), once.as_str());
        }
    }

    #[test]
    fn a_secret_never_shows(
        before in part(), name in secret_name(), around in "[/?:;=a-z%+]{0,8}", fragment in any::<bool>(), after in part(),
    ) {
        let start = if fragment { '#' } else { '?' };
        let url = format!("http://u:{around}CANARY{around}@h/{before}{start}x={before}&{name}={around}CANARY{around}&y={after}");
        let shown = redact(&url);
        prop_assert!(!shown.contains("CANARY"), "{url}: {shown}");
        let shown = redact_each(&url);
        prop_assert!(!shown.contains("CANARY"), "{url}: {shown}");
    }

    /// The URL parser is the judge: whatever it takes for userinfo or for the value of a secret parameter is covered.
    #[test]
    fn what_the_parser_takes_for_a_secret_is_covered(
        around in any::<String>(), name in secret_name(), others in proptest::collection::vec(any::<(String, String)>(), 0..3),
    ) {
        let secret = format!("{around}CANARY{around}");
        let mut url = Url::parse("http://h.example/path").expect("a URL");
        url.set_password(Some(&secret)).expect("an http URL can have a password");
        url.query_pairs_mut().extend_pairs(&others).append_pair(&name.replace("%6b", "k"), &secret).extend_pairs(&others);
        url.set_fragment(Some(&format!("{name}={}", secret.replace('&', ""))));
        let shown = redacted(&url);
        prop_assert!(!shown.contains("CANARY"), "{url}: {shown}");
        let shown = Url::parse(&shown).expect("a covered URL is one still");
        prop_assert_eq!((shown.host_str(), shown.path(), shown.username()), (Some("h.example"), "/path", "***"));
    }

    #[test]
    fn a_url_without_secrets_stays_byte_for_byte(path in "[a-z0-9@/_.-]{0,20}", query in "[a-d=&;@:_.,+-]{0,20}") {
        let url = format!("http://h.example/{path}?{query}");
        prop_assert_eq!(redact(&url), url.as_str());
    }
}
