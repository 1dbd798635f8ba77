// Without this the clip plays all the same. It shows what was found while its moment plays, and leads there.
"use strict";
const video = document.querySelector("video");
const boxes = [...document.querySelectorAll("svg g")];
const NEAR_S = 1.5;

const show = () => boxes.forEach((box) => {
  box.toggleAttribute("hidden", Math.abs(video.currentTime - Number(box.dataset.at)) > NEAR_S);
});
["timeupdate", "seeking", "loadedmetadata"].forEach((moment) => video.addEventListener(moment, show));
document.querySelectorAll("button").forEach((button) => button.addEventListener("click", () => {
  video.currentTime = Number(button.dataset.at);
  video.play().catch(() => {});
}));
