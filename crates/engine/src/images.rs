//! ISO and floppy images of a machine and of its checkpoints: each file is copied once.

use hvm_model::names::WindowsPath;
use hvm_model::role::{PlacedFile, PlacedImage};
use hvm_model::vm::{MachineConfiguration, Media};
use hvm_sources::source::Source;

use crate::placing::Placing;
use crate::role::copied_file;

/// The images of one machine that have a place already.
#[derive(Default)]
pub(crate) struct Images(Vec<(WindowsPath, PlacedFile)>);

impl Images {
    /// Gives the images of a configuration their places. A DVD drive whose disc stays behind becomes an empty one.
    pub(crate) fn place(
        &mut self,
        source: &dyn Source,
        folder: &str,
        configuration: &mut MachineConfiguration,
        placing: &mut Placing<'_>,
    ) -> Vec<PlacedImage> {
        let mut images = Vec::new();
        for drive in &mut configuration.drives {
            let path = match &drive.media {
                Media::Iso { path } | Media::Floppy { path } => path.clone(),
                Media::PhysicalDvd { .. } => {
                    drive.media = Media::EmptyDvd;
                    continue;
                }
                _ => continue,
            };
            let known = self.0.iter().find(|(other, _)| *other == path).map(|(_, file)| file.clone());
            let file = known.or_else(|| copied_file(source, &path, || placing.image(folder, path.file_name())));
            match file {
                Some(file) => {
                    self.0.push((path, file.clone()));
                    let (controller, number, slot) = (drive.controller, drive.number, drive.slot);
                    images.push(PlacedImage { controller, number, slot, file });
                }
                None if matches!(drive.media, Media::Iso { .. }) => drive.media = Media::EmptyDvd,
                None => {}
            }
        }
        images
    }
}
