@echo off
rem Collects what hvmigrate needs to know of this Hyper-V host into a new folder, without changing anything else.
rem Run it as administrator:   collect.cmd E:\collected
setlocal
set HOST=%SystemRoot%\System32\cscript.exe
rem A 32-bit prompt would see the registry and the system folder of 32-bit programs.
if exist "%SystemRoot%\Sysnative\cscript.exe" set HOST=%SystemRoot%\Sysnative\cscript.exe
"%HOST%" //nologo "%~dp0collect.vbs" %*
exit /b %ERRORLEVEL%
