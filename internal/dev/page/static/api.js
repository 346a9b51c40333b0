// What the page asks of the session.

export const prefix = document.documentElement.dataset.prefix;

// post does something; it throws what was wrong with it.
export async function post(path, body) {
  const response = await fetch(`${prefix}/api/${path}`, {
    method: "POST",
    headers: { "Flysql-Page": "1", "Content-Type": "application/json" },
    body: body === undefined ? null : JSON.stringify(body),
  }).catch(() => { throw new Error("flysql dev does not answer"); });
  const answer = await response.json().catch(() => ({ error: `status ${response.status}` }));
  if (!response.ok) throw new Error(answer.error || `status ${response.status}`);
  return answer;
}
