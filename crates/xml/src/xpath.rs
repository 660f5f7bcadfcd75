//! XPath.
