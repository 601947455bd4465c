"""Reading sheets, folders, frames and corrections of data sets."""
