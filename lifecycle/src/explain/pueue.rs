//! How a person calls pueue on a headnode: which of its programs, and with which
//! configuration where ours is not the usual one.

use super::quoted;

/// The client, as words to be pasted there. `config` is PUEUE_CONFIG_PATH, where that is
/// set for us: whoever logs in there has not set it.
pub fn pueue_client(command: &str, config: Option<&str>) -> String {
    called(command, config)
}

/// The daemon that belongs to the client: beside it, where the client has a path.
pub fn pueue_daemon(command: &str, config: Option<&str>) -> String {
    let program = match command.strip_suffix("/pueue") {
        Some(folder) => format!("{folder}/pueued"),
        None => "pueued".to_owned(),
    };
    called(&program, config)
}

fn called(program: &str, config: Option<&str>) -> String {
    let word = match program.strip_prefix("~/") {
        // A tilde means the home only outside of quotes.
        Some(rest) => format!("~/{}", quoted(rest)),
        None => quoted(program),
    };
    match config.filter(|config| !config.is_empty()) {
        Some(config) => format!("{word} -c {}", quoted(config)),
        None => word,
    }
}
