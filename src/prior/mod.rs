//! Priors: what is assumed of a spectrum before the data are seen. Floor 4.
