// Plays the page of a clip as a phone would; prints what it saw, as JSON. Usage: node play.mjs URL SCREENSHOT
import puppeteer from "puppeteer-core";
const [url, screenshot] = process.argv.slice(2);
const browser = await puppeteer.launch({
  executablePath: "/usr/bin/chromium",
  // As root, in a container whose shared memory is small, on a machine that is busy.
  args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--autoplay-policy=no-user-gesture-required"],
  timeout: 120_000,
});
const page = await browser.newPage();
await page.setViewport({ width: 412, height: 800, isMobile: true, hasTouch: true });
const trouble = [];
page.on("console", (m) => m.type() === "error" && trouble.push(m.text()));
// A player that jumps gives up what it was reading.
const jumped = (r) => r.url().includes("/clip.mp4") && r.failure().errorText === "net::ERR_ABORTED";
page.on("requestfailed", (r) => jumped(r) || trouble.push(`${r.url()}: ${r.failure().errorText}`));
page.on("pageerror", (e) => trouble.push(String(e)));
await page.goto(url);
await page.tap("button");
await page.waitForFunction(() => {
  const video = document.querySelector("video");
  return video.error || video.currentTime > Number(document.querySelector("button").dataset.at) + 0.5;
}, { timeout: 120_000 });
// Where the boxes are that somebody sees now: left, top, right, bottom, in shares of the picture.
const boxes = () => page.evaluate(() => {
  const stage = document.querySelector("video").getBoundingClientRect();
  const all = [...document.querySelectorAll("svg rect")].map((box) => box.getBoundingClientRect());
  // What is hidden takes no room.
  return all.filter((box) => box.width > 0 && box.height > 0).map((box) => [
    (box.left - stage.left) / stage.width, (box.top - stage.top) / stage.height,
    (box.right - stage.left) / stage.width, (box.bottom - stage.top) / stage.height,
  ]);
});
const then = await boxes();
await page.screenshot({ path: screenshot });
await page.waitForFunction(() => {
  const video = document.querySelector("video");
  return video.error || video.currentTime > Number(document.querySelector("button").dataset.at) + 3;
}, { timeout: 120_000 });
const later = await boxes();
const seen = await page.evaluate(() => {
  const video = document.querySelector("video");
  return {
    error: video.error?.message ?? null,
    source: new URL(video.currentSrc).pathname.split("/").pop(),
    frames: video.getVideoPlaybackQuality().totalVideoFrames,
    width: video.videoWidth,
    height: video.videoHeight,
    at: video.currentTime,
  };
});
console.log(JSON.stringify({ ...seen, then, later, trouble }));
await browser.close();
