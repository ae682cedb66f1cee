/** What settings take as an address on the web, and as headers of a request to it. */

export const WEB_ADDRESS = {
  pattern: /^https?:\/\/[^\s/]/,
  isUrl: true,
  expects: "an http:// or https:// address",
} as const;

export const HEADER_NAME = /^[-!#$%&'*+.^_`|~0-9A-Za-z]+$/;
export const HEADER_VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;
