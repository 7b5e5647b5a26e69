/** What tus-js-client needs of `url-parse`: it resolves the location of a new upload. */
export default URL
