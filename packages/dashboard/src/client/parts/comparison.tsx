/** Two texts under each other, with the part marked in which they differ. */

export function Comparison({ must, was }: { must: string; was: string }) {
  const [start, end] = same(must, was);
  return (
    <div class="comparison">
      <span>Must be signed</span>
      <code class="good-text">
        {must.slice(0, start)}
        <mark>{must.slice(start, must.length - end)}</mark>
        {must.slice(must.length - end)}
      </code>
      <span>Was signed</span>
      <code class="bad-text">
        {was.slice(0, start)}
        <mark>{was.slice(start, was.length - end)}</mark>
        {was.slice(was.length - end)}
      </code>
    </div>
  );
}

/** How much is the same at the start, and at the end. */
export function same(text: string, other: string): readonly [number, number] {
  let start = 0;
  while (start < text.length && text[start] === other[start]) start++;
  let end = 0;
  const most = Math.min(text.length, other.length) - start;
  while (end < most && text.at(-1 - end) === other.at(-1 - end)) end++;
  return [start, end];
}
