/** The horn. */

export function Logo() {
  return (
    <svg
      class="logo"
      viewBox="0 0 24 24"
      width="22"
      height="22"
      fill="none"
      stroke="currentColor"
      stroke-width="2.2"
      stroke-linecap="round"
      stroke-linejoin="round"
      aria-hidden="true"
    >
      <path d="M3 10v4l9 5V5z" />
      <path d="M16 9a4.2 4.2 0 0 1 0 6M19 6a8.5 8.5 0 0 1 0 12" />
    </svg>
  );
}
