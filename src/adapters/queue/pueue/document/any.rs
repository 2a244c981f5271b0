//! Owns reading a JSON value of whatever kind it turns out to be without building it: a
//! list that others fill must not become many times as large in memory as it is.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// What is made of a value. A kind that is not told apart is [`Self::other`].
pub(super) trait Of: Sized {
    type Read;

    fn map<'de, A: MapAccess<'de>>(self, map: A) -> Result<Self::Read, A::Error>;

    fn list<'de, A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Read, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        self.other()
    }

    fn text<E: Error>(self, _text: &str) -> Result<Self::Read, E> {
        self.other()
    }

    fn number<E: Error>(self, _number: u64) -> Result<Self::Read, E> {
        self.other()
    }

    fn null<E: Error>(self) -> Result<Self::Read, E> {
        self.other()
    }

    fn other<E: Error>(self) -> Result<Self::Read, E>;
}

pub(super) struct Any<T>(pub(super) T);

impl<'de, T: Of> DeserializeSeed<'de> for Any<T> {
    type Value = T::Read;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<T::Read, D::Error> {
        json.deserialize_any(Whatever(self.0, PhantomData))
    }
}

struct Whatever<'de, T>(T, PhantomData<&'de ()>);

impl<'de, T: Of> Visitor<'de> for Whatever<'de, T> {
    type Value = T::Read;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T::Read, A::Error> {
        self.0.map(map)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<T::Read, A::Error> {
        self.0.list(list)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<T::Read, E> {
        self.0.text(text)
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<T::Read, E> {
        self.0.number(number)
    }

    fn visit_i64<E: Error>(self, _number: i64) -> Result<T::Read, E> {
        self.0.other()
    }

    fn visit_f64<E: Error>(self, _number: f64) -> Result<T::Read, E> {
        self.0.other()
    }

    fn visit_bool<E: Error>(self, _truth: bool) -> Result<T::Read, E> {
        self.0.other()
    }

    fn visit_unit<E: Error>(self) -> Result<T::Read, E> {
        self.0.null()
    }
}
