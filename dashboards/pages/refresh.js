// Replaces the main part of the page every 5 s, while somebody looks and is not typing in it.
const EVERY_MS = 5000;
const freshness = document.getElementById('freshness');

async function refresh() {
  const main = document.querySelector('main');
  if (document.hidden || main.contains(document.activeElement)) return;
  try {
    const response = await fetch(location.href, { headers: { accept: 'text/html' } });
    if (!response.ok) throw new Error(`the console answers ${response.status}`);
    const fresh = new DOMParser().parseFromString(await response.text(), 'text/html');
    // Tables keep the place they were scrolled to.
    const places = [...main.querySelectorAll('.scroll')].map((part) => part.scrollLeft);
    main.replaceWith(fresh.querySelector('main'));
    document.querySelectorAll('main .scroll').forEach((part, index) => (part.scrollLeft = places[index] ?? 0));
    freshness.textContent = fresh.getElementById('freshness').textContent;
    freshness.classList.remove('stale');
  } catch (error) {
    freshness.classList.add('stale');
    freshness.title = String(error);
  }
}

async function keepFresh() {
  await refresh();
  setTimeout(keepFresh, EVERY_MS);
}

setTimeout(keepFresh, EVERY_MS);
document.addEventListener('visibilitychange', () => void refresh());
