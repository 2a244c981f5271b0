//! Every point of a story at which the daemon can be killed, one after the other.
