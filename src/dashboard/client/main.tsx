/** Starts the dashboard's page. */

import { render } from "preact";

function App() {
  return <p>The dashboard is being built.</p>;
}

const place = document.getElementById("app");
if (place) render(<App />, place);
