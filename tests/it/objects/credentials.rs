//! Who may do what in a store, and what is said when it may not be done.

use daylily_lifecycle::ids::ByteCount;
use daylily_lifecycle::outcome::FaultClass;
use daylily_watch::adapters::objects::name::{Key, Prefix};
use daylily_watch::adapters::objects::s3::S3;
use daylily_watch::adapters::objects::{Bucket as _, Condition, Head, Listing, Put, Stored};

use crate::servers::s3::{BUCKET, Kind, Store};

#[tokio::test]
async fn refused_credentials_need_a_person_and_renewed_ones_are_found() {
    let store = Store::start(Kind::S3sFs);
    let bucket = store.bucket();
    let key = Key::new("a");
    let put = Put::new(key.clone(), "1", Condition::Always);
    assert!(matches!(bucket.put(&put).await.unwrap(), Stored::Yes(_)));
    store.write_credentials("test-key-of-nobody", "another-secret");
    let bucket = store.bucket();
    let all = Listing::all(&Prefix::default());
    for fault in [
        bucket.list(&all, None).await.map(drop).expect_err("listed"),
        bucket.get(&key, ByteCount(9)).await.map(drop).expect_err("got"),
        bucket.put(&put).await.map(drop).expect_err("put"),
        // Its answer has no text: why it is refused is asked for.
        bucket.head(&key).await.map(drop).expect_err("looked at"),
    ] {
        assert_eq!(fault.class, FaultClass::NeedsPerson, "{fault}");
        assert!(fault.text.contains("hint: renew the credentials"), "{fault}");
        assert!(!fault.text.contains("another-secret"), "{fault}");
    }
    store.write_right_credentials();
    assert_eq!(bucket.list(&all, None).await.expect("they are right again").objects.len(), 1);
    assert!(matches!(bucket.head(&key).await.unwrap(), Head::Found(_)));
}

#[tokio::test]
async fn a_profile_that_is_not_there_needs_a_person_and_is_found_when_it_comes() {
    let store = Store::start(Kind::Moto);
    let mut settings = store.settings();
    let file = settings.credentials_file.clone().unwrap();
    settings.profile = Some("later".to_owned());
    let bucket = S3::new(settings).bucket(BUCKET);
    let all = Listing::all(&Prefix::default());
    let fault = bucket.list(&all, None).await.expect_err("there is no such profile");
    assert_eq!(fault.class, FaultClass::NeedsPerson, "{fault}");
    assert!(fault.text.starts_with("list s3://lab-inbox/: "), "{fault}");
    let text = std::fs::read_to_string(&file).unwrap().replace("[test]", "[later]");
    std::fs::write(&file, text).unwrap();
    bucket.list(&all, None).await.expect("it is there by now");
}

#[tokio::test]
async fn a_store_that_is_not_there_is_transient_and_nothing_was_written() {
    let mut store = Store::start(Kind::Moto);
    let bucket = store.bucket();
    store.end();
    let all = Listing::all(&Prefix::new("a"));
    let fault = bucket.list(&all, None).await.expect_err("nobody is there");
    assert_eq!(fault.class, FaultClass::TransientHost, "{fault}");
    let put = Put::new(Key::new("a"), "1", Condition::Absent);
    let fault = bucket.put(&put).await.expect_err("nobody is there");
    assert_eq!(fault.class, FaultClass::TransientHost, "no connection was made: {fault}");
}

#[tokio::test]
async fn what_is_no_s3_store_is_said_to_be_none() {
    use std::io::{Read as _, Write as _};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let answering = std::thread::spawn(move || {
        for stream in listener.incoming().take(2) {
            let mut stream = stream.unwrap();
            let _ = stream.read(&mut [0; 4096]).unwrap();
            let page = "<html>welcome";
            let head = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 13\r\n\r\n";
            stream.write_all(format!("{head}{page}").as_bytes()).unwrap();
        }
    });
    let store = Store::start(Kind::S3sFs);
    let mut settings = store.settings();
    settings.endpoint_url = Some(format!("http://127.0.0.1:{port}"));
    let bucket = S3::new(settings).bucket(BUCKET);
    let fault = bucket.list(&Listing::all(&Prefix::default()), None).await.expect_err("it is not");
    assert_eq!(fault.class, FaultClass::FatalHost, "{fault}");
    assert!(fault.text.contains("hint: is endpoint_url that of an S3 store?"), "{fault}");
    answering.join().unwrap();
}
