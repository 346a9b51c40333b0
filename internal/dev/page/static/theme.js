// The theme that was chosen, before anything is drawn. This is no module: those run late.
"use strict";
{
  let theme = "";
  try { theme = localStorage.getItem("flysql.theme") ?? ""; } catch { /* storage is forbidden: the system's */ }
  if (theme === "dark" || theme === "light") document.documentElement.dataset.theme = theme;
}
