/** The part of mime-types that is used; the package has no types of its own. */
declare module 'mime-types' {
  const mime: {
    /** Extensions without a dot, by MIME type. */
    readonly extensions: Readonly<Partial<Record<string, readonly string[]>>>
  }
  export default mime
}
