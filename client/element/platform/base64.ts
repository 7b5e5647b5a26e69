/** What tus-js-client needs of `js-base64`: it encodes values of metadata. */
export const Base64 = {
  encode: (text: string): string =>
    btoa(Array.from(new TextEncoder().encode(text), (byte) => String.fromCharCode(byte)).join('')),
}
