//! `backup` and `restore` as they are typed: where the files may lie, and what is told
//! when they cannot be used.

use super::site::Site;

/// A folder in which a daemon has made its database and ended.
fn with_a_database() -> Site {
    let site = Site::new("true");
    let ran = site.run(&["--run-once"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    site
}

#[test]
fn a_backup_is_made_wherever_its_file_is_named() {
    let site = with_a_database();
    site.write("sub/there", "");
    let whole = site.at("by its whole name.db").display().to_string();
    let mut noted = site.noted_backup();
    for file in ["bare.db", "./dotted.db", "sub/below.db", "sub/../up.db", &whole] {
        let ran = site.run(&["backup", file]);
        assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""), "{file}: {ran:?}");
        assert!(ran.out.contains("a whole copy of the database"), "{file}: {ran:?}");
        let now = site.noted_backup();
        assert!(now.is_some() && now != noted, "{file}: it is noted");
        noted = now;
    }
    let ran = site.run(&["restore", "bare.db"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.out.starts_with("bare.db is the database now"), "{ran:?}");
    let halves: Vec<_> = site.tree().into_keys().filter(|name| name.contains("half")).collect();
    assert_eq!(halves, [""; 0]);
}
