use jiff::Timestamp;

use super::{NOISE_MAX, Sieve, Sifted};

const TOKEN: &str = "0123456789abcdef";

/// Whatever the pieces are in which it comes.
fn sifted(text: &str, keep: usize) -> Sifted {
    let in_pieces = |size: usize| {
        let mut sieve = Sieve::new(TOKEN, keep);
        text.as_bytes().chunks(size).for_each(|chunk| sieve.take(chunk, || Timestamp::UNIX_EPOCH));
        sieve.finish()
    };
    let whole = in_pieces(usize::MAX);
    for size in [1, 2, 3, 7, 15, 16, 17, 100] {
        assert_eq!(in_pieces(size), whole, "in pieces of {size}");
    }
    whole
}

fn says(sifted: &Sifted) -> Option<&str> {
    sifted.token.as_ref().map(|token| token.says.as_str())
}

#[test]
fn an_answer_without_noise_is_the_answer() {
    let sifted = sifted(&format!("{TOKEN} 17.5\nanswer\n"), 100);
    assert_eq!(says(&sifted), Some("17.5"));
    assert_eq!((sifted.noise.as_str(), &sifted.kept[..]), ("", &b"answer\n"[..]));
}

#[test]
fn what_comes_before_the_token_is_noise_also_without_a_newline() {
    let sifted = sifted(&format!("Welcome!\n0123456789abcde 012{TOKEN}\nanswer"), 100);
    assert_eq!(says(&sifted), Some(""));
    assert_eq!(sifted.noise, "Welcome!\n0123456789abcde 012");
    assert_eq!(sifted.kept, b"answer");
}

#[test]
fn only_the_beginning_of_an_answer_is_kept_and_that_is_told() {
    let text = format!("{TOKEN}\nanswer");
    assert_eq!((sifted(&text, 3).kept, sifted(&text, 3).cut), (b"ans".to_vec(), true));
    assert_eq!((sifted(&text, 6).kept, sifted(&text, 6).cut), (b"answer".to_vec(), false));
}

#[test]
fn without_a_token_all_is_noise_and_its_beginning_is_kept() {
    let text = "x".repeat(NOISE_MAX * 3);
    let sifted = sifted(&text, 100);
    assert_eq!((sifted.token, sifted.noise.len(), sifted.kept), (None, NOISE_MAX, Vec::new()));
}
