/** VitePress' own theme with the fonts of the reader's system: a page asks nobody else for anything. */

import Theme from "vitepress/theme-without-fonts";
import "./style.css";

export default Theme;
