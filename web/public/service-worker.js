// Shows a page that says so when the browser is offline. It keeps no other page: the feed is never an old one.
const CACHE = "offline-1";
const OFFLINE_PAGE = "/offline.html";

addEventListener("install", (event) => {
  const kept = caches.open(CACHE).then((cache) => cache.add(new Request(OFFLINE_PAGE, { cache: "reload" })));
  event.waitUntil(kept.then(() => skipWaiting()));
});

addEventListener("activate", (event) => {
  // The browser requests a page while it starts this worker.
  event.waitUntil(registration.navigationPreload?.enable());
});

addEventListener("fetch", (event) => {
  if (event.request.mode === "navigate") event.respondWith(load(event));
});

async function load(event) {
  try {
    return (await event.preloadResponse) ?? (await fetch(event.request));
  } catch {
    return (await caches.match(OFFLINE_PAGE)) ?? Response.error();
  }
}
