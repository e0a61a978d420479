//! Stored and sealed formats, frozen: what version 1 once wrote must be read for ever. Nothing here is made anew by
//! `bless`; the constants were written down when the format was settled. Never change one, add another.

use super::{Book, case};
use crate::fixture::{
    DOCUMENT, Draft, assertion, assertion_claims, bearer, by_assertion, config, get, key_clients, manage, put, redeem,
    refresh, user,
};
use crate::world::World;
use lockstep_oauth::question::Decision;
use lockstep_oauth::store::Record;
use serde_json::{Value, json};

/// A world under the frozen keys, with these records.
fn world(records: &[(&str, &str)], change: impl FnOnce(&mut Value)) -> World {
    let mut config = config();
    change(&mut config);
    let mut world = World::of(config, KEYS.to_owned());
    world.sign_in = Decision::SignedIn(user("alice"));
    for (key, value) in records {
        let record = Record { version: 7, value: value.as_bytes().to_vec(), expires_at: world.now + 86_400 };
        world.store.put(key, record);
    }
    world
}

fn plain(records: &[(&str, &str)]) -> World {
    world(records, |_| {})
}

pub(super) fn scenarios(book: &mut Book) {
    grants(book);
    others(book);
    sealed(book);
}

fn grants(book: &mut Book) {
    let checking = |record: &'static str, token: &'static str| {
        move || {
            let mut world = plain(&[(GRANT_KEY, record)]);
            world.wait(60);
            world.check(bearer(token));
            world
        }
    };
    book.one(case("code", "A code and its grant of version 1.", "D5", "Read for ever.", "200"), || {
        let mut world = plain(&[(GRANT_KEY, GRANTED)]);
        world.send(redeem(CODE));
        world
    });
    book.one(case("access", "An access token and its grant of version 1.", "D5", "Read for ever.", "allowed"), checking(LIVE, ACCESS));
    book.one(case("access-before", "An access token of the generation before.", "D5", "It is proven by the same salt.", "allowed"), checking(LIVE, ACCESS_1));
    book.one(case("refresh", "A refresh token of version 1.", "D5", "Read for ever.", "200"), || {
        let mut world = plain(&[(GRANT_KEY, LIVE)]);
        world.wait(600);
        world.send(refresh(REFRESH));
        world
    });
    book.one(case("refresh-before", "The refresh token before it gives the same successor.", "D6", "The answer is derived from the record.", "200"), || {
        let mut world = plain(&[(GRANT_KEY, LIVE)]);
        world.wait(61);
        world.send(refresh(REFRESH_1));
        world
    });
    book.one(case("personal", "A personal access token of version 1.", "D5", "Read for ever.", "allowed"), || {
        let mut world = plain(&[(PERSONAL_KEY, PERSONAL)]);
        world.check(bearer(PERSONAL_TOKEN));
        world
    });
    let every = LIVE.replacen(
        "\"lt\":",
        "\"sc\":2,\"ov\":3,\"af\":1,\"cnf\":{\"jkt\":\"0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I\"},\"later\":true,\"lt\":",
        1,
    );
    book.one(case("every-member", "A grant with every member, and one that is not known.", "D5", "What is reserved for a key binding is kept.", "200"), || {
        let counter = "{\"counter\":2,\"stamp\":\"svSUn4yiv-8\",\"v\":1}";
        let mut world = plain(&[(GRANT_KEY, &every), (SUBJECT_KEY, counter)]);
        world.wait(600);
        world.send(refresh(REFRESH));
        world
    });
    let floor = LIVE.replacen("\"lt\":", "\"af\":1,\"lt\":", 1);
    book.one(case("floor", "A floor under the access tokens of a grant.", "RFC 7009 §2.1", "Those up to it are dead.", "bearer.revoked"), || {
        let mut world = plain(&[(GRANT_KEY, &floor)]);
        world.wait(60);
        world.check(bearer(ACCESS_1));
        world
    });
    let revoked = LIVE.replacen("\"live\"", "\"revoked\"", 1).replacen("\"lt\":", "\"wy\":\"revoked by the user\",\"lt\":", 1);
    book.one(case("revoked", "A revoked grant of version 1.", "D5", "Dead for ever.", "bearer.revoked"), || {
        let mut world = plain(&[(GRANT_KEY, &revoked)]);
        world.wait(60);
        world.check(bearer(ACCESS));
        world
    });
    let later = LIVE.replacen("\"v\":1", "\"v\":2", 1);
    book.one(case("later-version", "A grant of a later version is not understood, and lets nobody pass.", "D5; S-01", "A host that was rolled back.", "server.unavailable"), || {
        let mut world = plain(&[(GRANT_KEY, &later)]);
        world.wait(60);
        world.check(bearer(ACCESS));
        world
    });
    book.one(case("nonsense", "A record that is none lets nobody pass.", "S-01", "A broken store.", "server.unavailable"), || {
        let mut world = plain(&[(GRANT_KEY, "nonsense")]);
        world.send(refresh(REFRESH));
        world
    });
    let other_salt = LIVE.replacen("\"sa\":\"C9sv", "\"sa\":\"D9sv", 1);
    book.one(case("other-salt", "A token is proven by the record's salt, and by no other.", "D5", "A stolen key alone mints nothing.", "bearer.invalid"), || {
        let mut world = plain(&[(GRANT_KEY, &other_salt)]);
        world.wait(60);
        world.check(bearer(ACCESS));
        world
    });
}

fn others(book: &mut Book) {
    book.one(case("counter", "A subject's counter of version 1.", "D3", "Whatever was approved under a lower one is dead.", "bearer.revoked"), || {
        let mut world = plain(&[(GRANT_KEY, LIVE), (SUBJECT_KEY, "{\"counter\":1,\"stamp\":\"svSUn4yiv-8\",\"v\":1}")]);
        world.wait(60);
        world.check(bearer(ACCESS));
        world
    });
    book.one(case("counter-nonsense", "A counter that cannot be read lets nobody pass.", "D3; S-01", "It may have grown.", "server.unavailable"), || {
        let mut world = plain(&[(GRANT_KEY, LIVE), (SUBJECT_KEY, "{\"counter\":1,\"v\":2}")]);
        world.wait(60);
        world.check(bearer(ACCESS));
        world
    });
    book.one(case("registration", "A registration of version 1, and its token.", "RFC 7592 §2.1", "Read for ever.", "200"), || {
        let mut world = world(&[(CLIENT_KEY, CLIENT)], |config| put(config, "registration", json!({ "mode": "open" })));
        world.send(manage("GET", CLIENT_ID, CLIENT_TOKEN));
        world
    });
    book.one(case("document", "A kept client document of version 1.", "CIMD-01 §4.4", "Nothing is fetched.", "200"), || {
        let mut world = plain(&[(DOCUMENT_KEY, KEPT_DOCUMENT)]);
        world.authorize(&[&format!("client_id={DOCUMENT}"), "redirect_uri=https://app.example/cb"]);
        world
    });
    book.one(case("key-set", "A kept key set of version 1.", "RFC 7517 §5", "Nothing is fetched.", "token.code.unknown"), || {
        let mut world = world(&[(KEY_SET_KEY, KEPT_KEY_SET)], key_clients);
        let by = by_assertion("fetched", &assertion(1, &assertion_claims("fetched", world.now)));
        let by: Vec<&str> = by.iter().map(String::as_str).collect();
        world.send(redeem("lsc_nonsense").but(&by));
        world
    });
    book.one(case("seen", "A used assertion of version 1.", "RFC 7523 §3", "It stays used.", "client.assertion.replayed"), || {
        let mut world = world(&[(SEEN_KEY, SEEN)], key_clients);
        let by = by_assertion("signer", ASSERTION);
        let by: Vec<&str> = by.iter().map(String::as_str).collect();
        world.send(redeem("lsc_nonsense").but(&by));
        world
    });
}

fn sealed(book: &mut Book) {
    book.one(case("ticket", "A ticket and its form's seal.", "OAuth 2.1-15 §7.11", "A page that was open while the server was updated.", "303"), || {
        let mut world = plain(&[]);
        let form = [("ticket", TICKET), ("seal", SEAL), ("decision", "approve"), ("scope", "notes:write")];
        let cookie = format!("@Cookie: __Host-lockstep={COOKIE}");
        world.send(Draft::new("POST", "/consent", &form).but(&["@Origin: null", "@Sec-Fetch-Site: same-origin", &cookie]));
        world
    });
    book.one(case("key-ring", "A key ring of version 1.", "RFC 7517 §5", "Its JWT key is published.", "200"), || {
        let mut world = world(&[], |config| put(config, "access_token_format", json!("jwt")));
        world.send(get("/jwks"));
        world
    });
}

/// A key ring of version 1.
const KEYS: &str = r#"{"jwt":[{"jwk":{"alg":"ES256","crv":"P-256","d":"f6s3v0pLzjza6ec193vyd8YNWKm-q68DH-994Uc4Tvw","kid":"S-QZ18mngpNEqbIE1Kxz4rOzhJDHBO2mlLE5IQWdEgg","kty":"EC","use":"sig","x":"0MWsF-rNR3oXfqE56wA_Po-4LRBupt5V-NQpRASNitI","y":"hoOHvUOkdUl27wquNK2YkSXZ2DLbLJPS2grznDz44_s"},"signs_from":1799913600,"verifies_until":9007199254740991}],"keys":[{"secret":"zpgWj5HU6U8XiYi4MV8xi7AXXrD2bZ3xoaItaBl7bQg","signs_from":1799913600,"verifies_until":9007199254740991}],"v":1}"#;
/// The key of the grant.
const GRANT_KEY: &str = r#"-Oz1VMIu0fY/grant/GB2g7LAn8D43aR3sIzTT8A"#;
/// The key of its subject.
const SUBJECT_KEY: &str = r#"-Oz1VMIu0fY/subject/8oov0ioBNYN6uI-cSZsE0g"#;
/// A grant that was approved.
const GRANTED: &str = r#"{"v":1,"st":"granted","cl":"web","su":"alice","cm":{"email":"alice@example.com"},"sp":["notes:read"],"rs":["https://mcp.example/mcp"],"ru":"https://client.example/cb","ch":"E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM","sa":"C9svOTHRzNfnARbR0PaXLVv80Q1HZ2y_eyQF0KXwdIY","ct":1800000000,"ex":1815552000,"rf":true,"g":{"n":0,"k":"6OkwvA","at":1800000000,"ax":1800000000,"rx":1800000060},"lt":1800000000,"sm":"lDH53qsmU8M","cn":"Web App"}"#;
/// Its code.
const CODE: &str = r#"lsc_6OkwvNEx_8SPiIUcqcErmH9l0FtOgmwXBx9YsmJG32HewfP-S2ih3Snptf58vGqCK9pweHgjE7XDFUavZ6DPYVMf4AXPdKYA5EoMWrZwhahPqgjikPccGVEmOVPt9U1IfuOV9aysPXnk0r4l7khm81d8mmMUSLxvpqlTEg_NoJzKjg_cF9HEPVBgmg"#;
/// The same grant in its second generation, with two scopes.
const LIVE: &str = r#"{"v":1,"st":"live","cl":"web","su":"alice","cm":{"email":"alice@example.com"},"sp":["notes:read","notes:write"],"rs":["https://mcp.example/mcp"],"ru":"https://client.example/cb","ch":"E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM","sa":"C9svOTHRzNfnARbR0PaXLVv80Q1HZ2y_eyQF0KXwdIY","ct":1800000000,"ex":1815552000,"rf":true,"g":{"n":2,"k":"6OkwvA","at":1800000060,"ax":1800003660,"rx":1802592060},"lt":1800000060,"sm":"plnRUwHs65E","cn":"Web App"}"#;
/// Its access token.
const ACCESS: &str = r#"lsa_6OkwvCCsFgH5G1zjRnkY9bILmk793WpW0oNCn4GUPOHMfbl5FFmXPVix8330MSCVr5xe6tHVpZQD0kDtgYvYSjRI2eCRUOLRTSqr5ggpll2fcs95ugZrEIXErqL19_umXiynuPyhp3l7Py3w-iPc8K4W9t93dPG1exJapW-z4WlzaXJ1ZgLiP_DL1A"#;
/// Its refresh token.
const REFRESH: &str = r#"lsr_6OkwvDz_bpTb0eHqZ6pshSIDeXt9wBGbtTah7-_coZ4Ci_VhLD52f3vXTBZC8DjI5rRnz2vda24NTR7MP4czF1gU44AV3vlquZqh9T4WceETOA__-f31dmEWcRGVJ83gimPmu3xgF0YynquZa_Gcr9pTQAN94iQFs0KcQiZ4OZylko1ChcAwcrjEDw"#;
/// The access token of its first generation.
const ACCESS_1: &str = r#"lsa_6OkwvDfs0cBRQhsSC1BBy-jVUS-2_gi3AvRCU3lvsKCg9U7VzowiWZOKvirGAVL3NdA_HbxfPnw2ONMBew_-0IpvjMJdweaPGqCgJh0icPUN6ZQ8cJ-Wd8OLFNo4k-elgNQaJnsvEhm4dpYMGVteNWRezU2mCW4J5ciQsYGWUsj0ILg1WPoIC62c1Q"#;
/// The refresh token of its first generation.
const REFRESH_1: &str = r#"lsr_6OkwvEIG4yCpXNqhgu-xbO4XTv72zMu3NQtD2OPIGbxN_9bmHwvuGQ8tLVu6FeHjleF3CiXcpXndaZF6oLN3qLOcAbvh-h42WVH3MnexlWSg7xR4yoza0V3CeNM1LAUnSqyBw9EttSpJ3ipH1AjYNS8TB41mnTWPneyKFfRLqjETDRNJ24TAqAgEeg"#;
/// The key of a personal access token.
const PERSONAL_KEY: &str = r#"-Oz1VMIu0fY/grant/GB2g7LAn8D43aR3sIzTT8A"#;
/// Its grant.
const PERSONAL: &str = r#"{"v":1,"st":"live","su":"alice","cm":{"email":"alice@example.com"},"sp":["notes:read"],"rs":["https://mcp.example/mcp"],"sa":"WUZF5QKB-Y-vBi-ovrXrNcayHr7rx27kkJbHjkEDOLs","ct":1800000000,"ex":1800003600,"g":{"n":1,"k":"6OkwvA","at":1800000000,"ax":1800003600,"rx":1800003600},"lt":1800000000,"sm":"svSUn4yiv-8","nm":"laptop"}"#;
/// The token.
const PERSONAL_TOKEN: &str = r#"lsp_6OkwvKHvuD_IvKkUXaqp6hCDT8AVqzaO6OM2L4wqrVIi7JpTQjK5GQRexHsdVbNXJugI0j4gyhDWREVcE_SM8StZEkU7yjO93AlqrbAioo5X_bLa1T0bDY0SzHK0Fo-Dpn8zlnoYJQMC_kLhIYJ_xPxl6nQx2YH0vQ_lqFyrLOIxjaIDvrZFYOUgQQ"#;
/// The key of a registration.
const CLIENT_KEY: &str = r#"-Oz1VMIu0fY/client/0TGeO-AmHxtkY7Vzo73o0A"#;
/// The registration.
const CLIENT: &str = r#"{"v":1,"metadata":{"client_name":"Self Made","grant_types":["authorization_code"],"redirect_uris":["https://client.example/cb"],"response_types":["code"],"token_endpoint_auth_method":"client_secret_post"},"secret_hash":"48qMQLj3986XKGY9diLFe17FaYlcXzvcL2p5Xo0Xc5A","management_hash":"MjGkEJN5JNTAK8DJvClTWsabvavgljXVq80pUgnydFo","issued_at":1800000000,"expires_at":1800086400,"stamp":"svSUn4yiv-8"}"#;
/// Its identifier.
const CLIENT_ID: &str = r#"client-0TGeO-AmHxtkY7Vzo73o0A"#;
/// Its token.
const CLIENT_TOKEN: &str = r#"lsm_lbZiMkhmTRPfL803izEFuiNAWwScQj4JJHHotwmJA9E"#;
/// The key of a kept client document.
const DOCUMENT_KEY: &str = r#"-Oz1VMIu0fY/cimd/5UnYBIq1Xj2KBAxv7LvyhyYlD3V1f66XsE2VnUknDa0"#;
/// The document.
const KEPT_DOCUMENT: &str = r#"{"document":"{\"client_id\":\"https://app.example/oauth/client.json\",\"client_name\":\"Document App\",\"grant_types\":[\"authorization_code\",\"refresh_token\"],\"redirect_uris\":[\"https://app.example/cb\"],\"token_endpoint_auth_method\":\"none\"}","fresh_until":1800003600,"v":1}"#;
/// The key of a kept key set.
const KEY_SET_KEY: &str = r#"-Oz1VMIu0fY/jwks/VjlYjrtkL2GdX3gG_xbJ05z5YAk2oypL3CY6VaW3Uqs"#;
/// The key set.
const KEPT_KEY_SET: &str = r#"{"fresh_until":1800003600,"keys":"{\"keys\":[{\"alg\":\"ES256\",\"crv\":\"P-256\",\"kid\":\"JwJSJlV9iTNQowU_0U1Yf3y0nvpHv3NQ43RZDMIXJrw\",\"kty\":\"EC\",\"use\":\"sig\",\"x\":\"GArCYKyBXia-Afg2ByR54J-C8nKt-asHZt04QUSxDwg\",\"y\":\"btxPGHapLNZjDzjMKET1muhRY_R2JPVeqhtYNTGieOQ\"}]}","v":1}"#;
/// The key of a used assertion.
const SEEN_KEY: &str = r#"-Oz1VMIu0fY/seen/R4cxcl4cezAIr4UfOkJIIGAJjSamNZSerVg0gQVJr1I"#;
/// Its record.
const SEEN: &str = r#"{"stamp":"osh1jd6FgWk","v":1}"#;
/// The assertion.
const ASSERTION: &str = r#"eyJhbGciOiJFUzI1NiIsImtpZCI6Ikp3SlNKbFY5aVROUW93VV8wVTFZZjN5MG52cEh2M05RNDNSWkRNSVhKcnciLCJ0eXAiOiJKV1QifQ.eyJhdWQiOiJodHRwczovL2FzLmV4YW1wbGUiLCJleHAiOjE4MDAwMDAzMDAsImlhdCI6MTgwMDAwMDAwMCwiaXNzIjoic2lnbmVyIiwianRpIjoiajEiLCJzdWIiOiJzaWduZXIifQ.ssgzO4sO3J48Eiyaxi_fWQ24oi7585pB5di-MyF6qrdVWsqWtO14QtO-pprm-uNp4jXtlhAdgXpGv-jJAOCn6g"#;
/// A ticket.
const TICKET: &str = r#"6OkwvFmMcdQ0R7If2mlKKE0lzCkdD_JVPtvC7e-y5b_fOLNvhYhIVX4C4q4vrScFcwS1w1WlLsRoIl-z627YdBao7RxHZtJsw9HztHP5pel0_EsNTDdJITcKCE6IKa71HHI_r--j3NzMWsZ0OyoIMuteUFNJEoWUHTOf0a2Vt_TXd9-QW5IuFGuWflaEfuSk2WAS76roLnDyVD8T2Ifv07zY3E0GDNcI6SAMYHZJmJUIXeJvFl_MBtlEjFURMajUoaJMFvGHyV7X563mNeYspDEbSpEdS0KqEIUf9rFZQViB2S8HCmrhBJbIgtavk3Ts1Tb9X6xCyLNEdkDyHS9zUlc58T_SPdVNqd4hx-GJeDTP6OiX099rDAjmsNrEDKRbjsRQ7tee7QmTBYvu4X0mRq-BdXAkYs8wdBN6ET-qg28Ms0mDsVAjhv4k40Q7vUaUSX9LO77OEmRHlf-IyJ54q3NuTGrvaxj_hw"#;
/// The seal of its form.
const SEAL: &str = r#"6OkwvMCCRfKpyjOK_MiFXOAza-K4yhb6tTof26EA-76mj9cYsTfLpqPw3W9AE50rKPe29QKeyQPF5sf6lYUW15bhkz6-AzjUVXmgJNNWpFvYIHsDOvIWI1h5AvSKPpL1bjDFWEkt2We6ICz94qSPfNCKMqsuZnwvY1RzbHFr4u0qsZ-mSpcrICQBJucFwWCBNUYE7H0C1Z6sHQM"#;
/// The secret of its browser.
const COOKIE: &str = r#"Q-EDm-LxGyBzQ5O9baFvmjHq-d5_eFaueZq2Q9ksVFA"#;
