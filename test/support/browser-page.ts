/** What tests do with a page, whatever browser it is in. */

export interface BrowserPage {
  /** The value of an expression, or what its promise resolves with, as JSON carries it. Rejects if the page throws. */
  evaluate<T>(expression: string): Promise<T>;
  goto(url: string): Promise<void>;
  reload(): Promise<void>;
  /** The browser's own button: the page may come out of the back/forward cache. */
  back(): Promise<void>;
}

export interface TestBrowser {
  /** In a window of its own, as one that is behind another tab counts as hidden. */
  openPage(url: string): Promise<BrowserPage>;
}
