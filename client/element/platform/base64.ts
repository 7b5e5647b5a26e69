/** What tus-js-client needs of `js-base64`: it encodes values of metadata. */
export const Base64 = {
  encode: (text: string): string => btoa(String.fromCodePoint(...new TextEncoder().encode(text))),
}
